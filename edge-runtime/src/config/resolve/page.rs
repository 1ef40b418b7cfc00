//! The board's page: where it listens, what opens it, TLS.

use std::net::SocketAddr;
use std::path::Path;

use mqtt_tls::Role;

use super::{Check, only_line};
use crate::config::PageConfig;
use crate::config::schema::PageSection;
use crate::page::{PageTls, Token};

/// More than a token may have.
const MAX_TOKEN_FILE_BYTES: u64 = 1_024;

impl Check<'_> {
    pub(super) fn page(&mut self, raw: PageSection) -> Option<PageConfig> {
        let listen = raw.listen.parse::<SocketAddr>().ok();
        if listen.is_none() {
            let reason = format!(
                "`{}` is no address with a port; 127.0.0.1:8080 is this machine alone, 0.0.0.0:8080 every network",
                raw.listen
            );
            self.wrong("page.listen", reason);
        }
        let token_file = self.path(raw.token_file);
        let token = read_token(&token_file);
        if let Err(problem) = &token {
            self.wrong("page.token_file", format!("{}: {problem}", token_file.display()));
        }
        let tls = match self.identity("page", raw.certificate_file, raw.key_file).ok()? {
            None => None,
            Some((certificate, key)) => match PageTls::load(&certificate, &key) {
                Ok(tls) => Some(tls),
                Err(e) => {
                    let key = if e.role == Role::Key { "page.key_file" } else { "page.certificate_file" };
                    self.wrong(key, e.to_string());
                    return None;
                }
            },
        };
        let (metrics, commands) = (raw.metrics, raw.commands);
        Some(PageConfig { listen: listen?, token: token.ok()?, token_file, tls, metrics, commands })
    }
}

fn read_token(file: &Path) -> Result<Token, String> {
    let line = only_line(file, MAX_TOKEN_FILE_BYTES)
        .map_err(|e| format!("cannot be read: {e}; make one with `openssl rand -hex 16`"))?;
    Token::new(&line).ok_or_else(|| {
        "holds no token of 16 to 256 printable characters in one line; make one with `openssl rand -hex 16`"
            .to_owned()
    })
}
