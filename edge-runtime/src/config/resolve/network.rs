//! The link to the hub: broker, TLS, credentials.

use std::path::{Path, PathBuf};

use alarm_proto::topics::Prefix;
use mqtt_tls::{Files, Role, Tls};

use super::{Check, only_line};
use crate::command::{Secret, Trust};
use crate::config::schema::{CommandsSection, NetworkSection, TrustName};
use crate::config::{Commands, Credentials, Network};

const DEFAULT_PORT: u16 = 1883;
const DEFAULT_TLS_PORT: u16 = 8883;
/// More than a key may have.
const MAX_KEY_FILE_BYTES: u64 = 2_048;

/// An address of a broker, taken apart.
struct Broker {
    host: String,
    port: u16,
    is_tls: bool,
}

impl Check<'_> {
    pub(super) fn network(&mut self, mut raw: NetworkSection, counter_file: PathBuf) -> Option<Network> {
        let broker = self.broker(&raw.broker);
        let prefix = self.name::<Prefix>("network.prefix", &raw.prefix);
        self.range("network.keep_alive_s", raw.keep_alive_s, 5..=600);
        self.range("network.heartbeat_interval_ms", raw.heartbeat_interval_ms, 100..=60_000);
        self.range("network.resend_after_ms", raw.resend_after_ms, 200..=600_000);
        self.range("network.window", raw.window, 4..=1024);
        let credentials = self.credentials("network", raw.username.take(), raw.password_file.take());
        let home_assistant = raw.home_assistant.take().and_then(|section| {
            let prefix =
                self.name::<Prefix>("network.home_assistant.discovery_prefix", &section.discovery_prefix);
            prefix.map(|prefix| prefix.as_str().to_owned())
        });
        let broker = broker?;
        let tls = self.tls(&mut raw, broker.is_tls);
        let commands = raw.commands.take();
        let network = Network {
            host: broker.host,
            port: broker.port,
            tls,
            prefix: prefix?,
            keep_alive_s: raw.keep_alive_s,
            heartbeat_interval_ms: raw.heartbeat_interval_ms,
            resend_after_ms: raw.resend_after_ms,
            window: raw.window,
            credentials,
            home_assistant,
            commands: None,
        };
        let commands = match commands {
            Some(section) => Some(self.commands(section, &network, counter_file)?),
            None => None,
        };
        Some(Network { commands, ..network })
    }

    fn commands(
        &mut self,
        raw: CommandsSection,
        network: &Network,
        counter_file: PathBuf,
    ) -> Option<Commands> {
        const KEY_FILE: &str = "network.commands.key_file";
        let key_file = raw.key_file.map(|file| self.path(file));
        let trust = match (raw.trust, &key_file) {
            (Some(TrustName::Broker), None) => {
                let is_mutual = network.tls.as_ref().is_some_and(Tls::is_mutual);
                if !is_mutual && !network.is_loopback() {
                    self.wrong(
                        "network.commands.trust",
                        "`broker` needs mqtts:// with `certificate_file`, or a broker on this machine; else use `key_file`",
                    );
                    return None;
                }
                Trust::Broker
            }
            (None, Some(file)) => match read_key(file) {
                Ok(secret) => Trust::Key(secret),
                Err(problem) => {
                    self.wrong(KEY_FILE, format!("{}: {problem}", file.display()));
                    return None;
                }
            },
            _ => {
                self.wrong("network.commands", "needs either trust = \"broker\" or `key_file`");
                return None;
            }
        };
        Some(Commands { trust, key_file, counter_file })
    }

    fn broker(&mut self, url: &str) -> Option<Broker> {
        let parsed = parse_broker(url);
        if parsed.is_none() {
            let message = if url.contains('@') {
                "name and password do not belong into the address; use `username` and `password_file`"
                    .to_owned()
            } else {
                format!("`{url}` is not of the form mqtt://HOST or mqtt://HOST:PORT, with mqtts:// for TLS")
            };
            self.wrong("network.broker", message);
        }
        parsed
    }

    fn tls(&mut self, raw: &mut NetworkSection, is_tls: bool) -> Option<Tls> {
        let (ca, certificate, key) = (raw.ca_file.take(), raw.certificate_file.take(), raw.key_file.take());
        if !is_tls {
            let foreign = [("ca_file", ca), ("certificate_file", certificate), ("key_file", key)];
            for (name, _) in foreign.iter().filter(|(_, file)| file.is_some()) {
                self.wrong(&format!("network.{name}"), "needs broker = \"mqtts://...\"");
            }
            return None;
        }
        let Some(ca) = ca else {
            self.wrong(
                "network.broker",
                "mqtts:// needs `ca_file`, the certificate of the authority that signed the broker's",
            );
            return None;
        };
        let identity = self.identity("network", certificate, key).ok()?;
        match Tls::load(&Files { ca: self.path(ca), identity }) {
            Ok(tls) => Some(tls),
            Err(e) => {
                let key = match e.role {
                    Role::Ca => "network.ca_file",
                    Role::Certificate => "network.certificate_file",
                    Role::Key => "network.key_file",
                };
                self.wrong(key, e.to_string());
                None
            }
        }
    }

    /// A name and the password in a file, of the section at `path`.
    pub(super) fn credentials(
        &mut self,
        path: &str,
        username: Option<String>,
        file: Option<PathBuf>,
    ) -> Option<Credentials> {
        let key = format!("{path}.password_file");
        match (username, file) {
            (None, None) => None,
            (Some(username), Some(file)) => {
                let file = self.path(file);
                match std::fs::read_to_string(&file) {
                    Ok(text) => Some(Credentials {
                        username,
                        password: text.trim_end_matches(['\n', '\r']).to_owned(),
                    }),
                    Err(e) => {
                        self.wrong(&key, format!("cannot read {}: {e}", file.display()));
                        None
                    }
                }
            }
            (Some(_), None) => {
                self.wrong(&format!("{path}.username"), "needs `password_file` beside it");
                None
            }
            (None, Some(_)) => {
                self.wrong(&key, "needs `username` beside it");
                None
            }
        }
    }
}

fn read_key(file: &Path) -> Result<Secret, String> {
    let line = only_line(file, MAX_KEY_FILE_BYTES).map_err(|e| format!("cannot be read: {e}"))?;
    Secret::new(&line)
        .ok_or_else(|| "holds no key of 32 to 1024 bytes; make one with `openssl rand -hex 32`".to_owned())
}

fn parse_broker(url: &str) -> Option<Broker> {
    let (rest, is_tls) = match url.strip_prefix("mqtts://") {
        Some(rest) => (rest, true),
        None => (url.strip_prefix("mqtt://")?, false),
    };
    let default_port = if is_tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|&p| p > 0)?),
        _ => (rest, default_port),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    (!bare.is_empty() && bare.chars().all(plain) && (bare == host) != host.contains(':')).then(|| Broker {
        host: host.to_owned(),
        port,
        is_tls,
    })
}
