//! The board's page: where it listens, what opens it, TLS.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use mqtt_tls::Role;

use super::Check;
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
        let tls = match (raw.certificate_file, raw.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => match PageTls::load(&self.path(certificate), &self.path(key)) {
                Ok(tls) => Some(tls),
                Err(e) => {
                    let key = if e.role == Role::Key { "page.key_file" } else { "page.certificate_file" };
                    self.wrong(key, e.to_string());
                    return None;
                }
            },
            (Some(_), None) => {
                self.wrong("page.certificate_file", "needs `key_file` beside it");
                return None;
            }
            (None, Some(_)) => {
                self.wrong("page.key_file", "needs `certificate_file` beside it");
                return None;
            }
        };
        let (metrics, commands) = (raw.metrics, raw.commands);
        Some(PageConfig { listen: listen?, token: token.ok()?, token_file, tls, metrics, commands })
    }
}

/// The first and only line of a file of bounded length.
fn read_token(file: &Path) -> Result<Token, String> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN_FILE_BYTES).read_to_end(&mut bytes));
    read.map_err(|e| format!("cannot be read: {e}; make one with `openssl rand -hex 16`"))?;
    Token::new(bytes.trim_ascii_end()).ok_or_else(|| {
        "holds no token of 16 to 256 printable characters in one line; make one with `openssl rand -hex 16`".to_owned()
    })
}
