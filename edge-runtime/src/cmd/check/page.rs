//! Whether the page can be served, and to whom.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::{Finding, is_open_to_others};
use crate::config::PageConfig;

/// A board that runs already holds the port itself: a warning.
pub(super) fn served(config: &PageConfig) -> Finding {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}/", config.listen);
    if is_open_to_others(&config.token_file) {
        let token = config.token_file.display();
        return Finding::Warn(format!("{token}: others may read this token, and look; chmod 640 it"));
    }
    match TcpListener::bind(config.listen) {
        Err(e) if e.kind() == ErrorKind::AddrInUse => Finding::Warn(format!(
            "{address}: something listens there now; if it is not watchpostd, take another port"
        )),
        Err(e) => Finding::Fail(format!("{address}: cannot listen there: {e}")),
        Ok(_) if config.tls.is_none() && !config.listen.ip().is_loopback() => Finding::Warn(format!(
            "{address}: token and pictures cross the network for everybody on it to read; give certificate_file and key_file"
        )),
        Ok(_) => Finding::Ok(address),
    }
}
