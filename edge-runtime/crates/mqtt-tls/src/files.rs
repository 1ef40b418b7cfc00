//! Certificates and keys from PEM files.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, Error as RustlsError, RootCertStore, crypto};

/// Largest file that is read, bytes: a hundred certificates and more.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Where certificates and keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Authorities that may vouch for the broker.
    pub ca: PathBuf,
    /// Our own certificate and its key, for brokers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Which of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The authorities.
    Ca,
    /// Our own certificate.
    Certificate,
    /// Its key.
    Key,
}

/// Why a file was refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct FileError {
    /// What the file is for.
    pub role: Role,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// What a connection trusts and shows; clones share it.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    files: Files,
    authorities: usize,
}

/// A certificate with those that vouch for it, and its key.
pub struct Identity {
    /// The certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both files.
    ///
    /// # Errors
    /// [`FileError`] for the first that is not readable, not PEM, or without a certificate or key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, FileError> {
        Ok(Self { chain: certificates(Role::Certificate, certificate)?, key: private_key(key)? })
    }

    /// Why TLS refused what these files hold.
    #[must_use]
    pub fn unfit(error: &RustlsError, certificate: &Path, key: &Path) -> FileError {
        refuse(Role::Key, key, unfit_key(error, certificate))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`FileError`] for the first that does not serve: not readable, not PEM, without a certificate or key, or a key that
    /// does not belong to its certificate. Whether a certificate is still valid shows when a connection is made.
    pub fn load(files: &Files) -> Result<Self, FileError> {
        let roots = authorities(&files.ca)?;
        let authorities = roots.len();
        let provider = Arc::new(crypto::ring::default_provider());
        let wrong = |e: RustlsError| refuse(Role::Ca, &files.ca, format!("cannot be used for TLS: {e}"));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots);
        let config = match &files.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let Identity { chain, key: private } = Identity::load(certificate, key)?;
                let unfit = |e: RustlsError| Identity::unfit(&e, certificate, key);
                builder.with_client_auth_cert(chain, private).map_err(unfit)?
            }
        };
        Ok(Self { config: Arc::new(config), files: files.clone(), authorities })
    }

    /// Where it came from.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// How many authorities are trusted.
    #[must_use]
    pub fn authorities(&self) -> usize {
        self.authorities
    }

    /// Whether we show a certificate of our own.
    #[must_use]
    pub fn is_mutual(&self) -> bool {
        self.files.identity.is_some()
    }
}

fn refuse(role: Role, file: &Path, problem: String) -> FileError {
    FileError { role, file: file.to_owned(), problem }
}

fn unfit_key(error: &RustlsError, certificate: &Path) -> String {
    match error {
        RustlsError::InconsistentKeys(_) => {
            format!(
                "the key does not belong to the certificate in {}; give the pair that was made together",
                certificate.display()
            )
        }
        _ => format!(
            "the key is of no kind that can be used ({error}); make an ECDSA P-256, Ed25519 or RSA key"
        ),
    }
}

fn authorities(file: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(Role::Ca, file)? {
        roots.add(certificate).map_err(|e| {
            refuse(Role::Ca, file, format!("holds a certificate that is none of an authority: {e}"))
        })?;
    }
    Ok(roots)
}

fn certificates(role: Role, file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(role, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| refuse(role, file, damaged(&e)))?;
    if found.is_empty() {
        let problem = "holds no certificate; it must be PEM, with -----BEGIN CERTIFICATE-----";
        return Err(refuse(role, file, problem.to_owned()));
    }
    Ok(found)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read(Role::Key, file)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| match e {
        PemError::NoItemsFound => {
            let problem =
                "holds no private key; it must be PEM, not encrypted, with -----BEGIN PRIVATE KEY-----";
            refuse(Role::Key, file, problem.to_owned())
        }
        e => refuse(Role::Key, file, damaged(&e)),
    })
}

fn damaged(error: &PemError) -> String {
    format!("is no PEM file, or a damaged one ({error}); copy it anew")
}

fn read(role: Role, file: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |e: std::io::Error| refuse(role, file, format!("cannot be read: {e}"));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(
            role,
            file,
            format!("is longer than {MAX_FILE_BYTES} bytes; give the certificates that are needed"),
        ));
    }
    Ok(bytes)
}
