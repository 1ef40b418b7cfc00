//! Where a network camera is. What is shown of the address, in logs, errors and `Debug` output, holds no password.

use std::fmt;

use url::Url;

/// The standard's port of RTSP.
const DEFAULT_PORT: u16 = 554;
/// Words after which vendors put a password into the path.
const SECRETS: [&str; 3] = ["passw", "pwd", "user"];

/// `rtsp://HOST[:PORT]/PATH`, without user and password in front of the host.
#[derive(Clone, PartialEq, Eq)]
pub struct CameraUrl(Url);

impl CameraUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong and what to write instead. The address is not repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "use rtsp://HOST[:PORT]/PATH, as the camera's manual or its ONVIF page gives it";
        let url = Url::parse(text).map_err(|e| format!("no address of a camera ({e}): {form}"))?;
        match url.scheme() {
            "rtsp" => {}
            "rtsps" | "rtspu" | "rtsp+tls" => {
                let scheme = url.scheme();
                return Err(format!(
                    "{scheme}: is not built in; use rtsp:// on a network of the cameras' own, or through a tunnel"
                ));
            }
            other => return Err(format!("{other}: is not rtsp: {form}")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "has a user or password in it, which addresses show everywhere; take them out, and set `username` and `password_file`"
                    .to_owned(),
            );
        }
        if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
            return Err(format!("has no host or no port: {form}"));
        }
        Ok(Self(url))
    }

    /// All of it.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for CameraUrl {
    /// Without what follows `?`, and without a path that looks like one with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtsp://{}", self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port().filter(|&port| port != DEFAULT_PORT) {
            write!(f, ":{port}")?;
        }
        let path = self.0.path().to_ascii_lowercase();
        if SECRETS.iter().any(|secret| path.contains(secret)) {
            return f.write_str("/...");
        }
        f.write_str(self.0.path())?;
        if self.0.query().is_some() { f.write_str("?...") } else { Ok(()) }
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_shows_wherever_a_vendor_puts_it() {
        let shown = |text: &str| CameraUrl::parse(text).unwrap().to_string();
        assert_eq!(shown("rtsp://camera.local/stream1"), "rtsp://camera.local/stream1");
        assert_eq!(shown("rtsp://10.0.0.7:554/a/b"), "rtsp://10.0.0.7/a/b");
        assert_eq!(shown("rtsp://[::1]:8554/x"), "rtsp://[::1]:8554/x");
        assert_eq!(shown("rtsp://c/live?channel=1&password=s3cret"), "rtsp://c/live?...");
        assert_eq!(shown("rtsp://c:8554/user=admin_password=s3cret_channel=1"), "rtsp://c:8554/...");
        let url = CameraUrl::parse("rtsp://c/Passwd/s3cret").unwrap();
        assert_eq!(format!("{url:?}"), "\"rtsp://c/...\"");
    }
}
