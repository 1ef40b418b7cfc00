//! The address of an external broker: `mqtt://host[:port]` or, over TLS, `mqtts://host[:port]`.

/// Why an address was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--broker {given:?}: {reason}. Write it as mqtt://HOST or mqtt://HOST:PORT, for example mqtt://192.168.1.10:1883; mqtts:// for TLS"
)]
pub struct UrlError {
    given: String,
    reason: &'static str,
}

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Host name or address; IPv6 addresses without brackets.
    pub host: String,
    /// TCP port; 1883, or 8883 for TLS, when the address names none.
    pub port: u16,
    /// Over TLS.
    pub is_tls: bool,
}

/// MQTT's registered port without TLS.
const DEFAULT_PORT: u16 = 1883;
/// The one with TLS.
const DEFAULT_TLS_PORT: u16 = 8883;

impl std::str::FromStr for BrokerUrl {
    type Err = UrlError;

    fn from_str(given: &str) -> Result<Self, UrlError> {
        let refuse = |reason| UrlError { given: given.to_owned(), reason };
        let (rest, is_tls) = match given.split_once("://") {
            Some(("mqtt", rest)) => (rest, false),
            Some(("mqtts", rest)) => (rest, true),
            Some(("wss" | "ws", _)) => return Err(refuse("WebSocket is not available")),
            Some(_) => return Err(refuse("unknown scheme")),
            None => return Err(refuse("the scheme is missing")),
        };
        if rest.contains('@') {
            return Err(refuse("user names and passwords are not available yet"));
        }
        if rest.contains(['/', '?', '#']) || rest.contains(char::is_whitespace) {
            return Err(refuse("nothing may follow the port"));
        }
        let (host, port) = split_port(rest).ok_or_else(|| refuse("the host is not understood"))?;
        let port = match port {
            None if is_tls => DEFAULT_TLS_PORT,
            None => DEFAULT_PORT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| refuse("the port is not 1-65535"))?,
        };
        if host.is_empty() {
            return Err(refuse("the host is missing"));
        }
        if host.contains(['[', ']']) {
            return Err(refuse("the host is not understood"));
        }
        Ok(Self { host: host.to_owned(), port, is_tls })
    }
}

/// Splits `host:port`, `[v6]:port`, `host` and `[v6]`.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            _ => after.strip_prefix(':').map(|port| (host, Some(port))),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

impl std::fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_tls { "mqtts" } else { "mqtt" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_understood() {
        for (text, host, port) in [
            ("mqtt://broker", "broker", 1883),
            ("mqtt://10.0.0.1:1884", "10.0.0.1", 1884),
            ("mqtt://[::1]:1885", "::1", 1885),
            ("mqtt://[::1]", "::1", 1883),
            ("mqtts://broker", "broker", 8883),
            ("mqtts://[::1]:1885", "::1", 1885),
        ] {
            let url: BrokerUrl = text.parse().unwrap();
            assert_eq!((url.host.as_str(), url.port), (host, port), "{text}");
            assert_eq!(url.is_tls, text.starts_with("mqtts"), "{text}");
            assert_eq!(url.to_string().parse::<BrokerUrl>().unwrap(), url);
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "broker:1883",
            "wss://b",
            "mqtts://b/x",
            "http://b",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://b:0",
            "mqtt://b:70000",
            "mqtt://b:x",
            "mqtt://u:p@b",
            "mqtt://b/x",
            "mqtt://::1",
            "mqtt://[::1",
            "mqtt://[::1]x",
            "mqtt://[[b]:1883",
            "mqtt://b]",
        ] {
            let error = text.parse::<BrokerUrl>().unwrap_err().to_string();
            assert!(error.contains("mqtt://HOST:PORT"), "{error}");
        }
    }
}
