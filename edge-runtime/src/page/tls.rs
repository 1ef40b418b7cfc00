//! The page's certificate.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use mqtt_tls::{FileError, Identity};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{Error as RustlsError, ServerConfig, crypto};

/// What the page shows of itself; clones share it.
#[derive(Clone)]
pub struct PageTls {
    config: Arc<ServerConfig>,
}

impl fmt::Debug for PageTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageTls")
    }
}

impl PageTls {
    /// Reads certificate and key from PEM files.
    ///
    /// # Errors
    /// [`FileError`] for the first that does not serve.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, FileError> {
        let Identity { chain, key: private } = Identity::load(certificate, key)?;
        let unfit = |e: RustlsError| Identity::unfit(&e, certificate, key);
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unfit)?;
        Ok(Self { config: Arc::new(config) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
