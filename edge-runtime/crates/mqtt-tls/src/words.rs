//! Why a connection failed, for people.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// A machine that believes to live before 2025-01-01 was never told the time, seconds since 1970.
const CLOCK_IS_SET_FROM_S: u64 = 1_735_689_600;

/// What an error of a connection to `host` means.
pub(crate) fn explain(error: &io::Error, host: &str, is_mutual: bool) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<RustlsError>()) {
        Some(tls) => explain_tls(tls, host, is_mutual),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
        None => error.to_string(),
    }
}

fn explain_tls(error: &RustlsError, host: &str, is_mutual: bool) -> String {
    match error {
        RustlsError::InvalidCertificate(why) => explain_certificate(why, host),
        RustlsError::AlertReceived(alert) => explain_alert(*alert, is_mutual),
        RustlsError::InvalidMessage(_) => {
            format!("what answers at {host} does not speak TLS; is it the port of mqtts?")
        }
        other => format!("TLS: {other}"),
    }
}

fn explain_certificate(why: &CertificateError, host: &str) -> String {
    let clock = || if clock_is_set() { "" } else { "; this board's clock is not set: give it a time source" };
    match why {
        CertificateError::UnknownIssuer => {
            "the broker's certificate is of an authority that is not in ca_file".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the broker's certificate is not for the name {host}; use the name that is in it")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the broker's certificate has expired{}", clock())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the broker's certificate is not valid yet{}", clock())
        }
        CertificateError::Revoked => "the broker's certificate was revoked".to_owned(),
        other => format!("the broker's certificate is not accepted: {other}"),
    }
}

fn explain_alert(alert: AlertDescription, is_mutual: bool) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the broker asks for a certificate; set certificate_file and key_file".to_owned()
        }
        AlertDescription::HandshakeFailure if !is_mutual => {
            "the broker refuses the handshake; it may ask for a certificate: set certificate_file and key_file".to_owned()
        }
        AlertDescription::CertificateExpired => "the broker says that our certificate has expired".to_owned(),
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "the broker does not accept our certificate; is it of the authority that the broker trusts?".to_owned()
        }
        other => format!("the broker refuses the connection: {other:?}"),
    }
}

fn clock_is_set() -> bool {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .is_ok_and(|since| since >= Duration::from_secs(CLOCK_IS_SET_FROM_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let cases = [
            (RustlsError::InvalidCertificate(CertificateError::UnknownIssuer), "ca_file"),
            (
                RustlsError::InvalidCertificate(CertificateError::NotValidForName),
                "not for the name hub.local",
            ),
            (RustlsError::InvalidCertificate(CertificateError::Expired), "has expired"),
            (RustlsError::InvalidCertificate(CertificateError::NotValidYet), "not valid yet"),
            (
                RustlsError::AlertReceived(AlertDescription::CertificateRequired),
                "certificate_file and key_file",
            ),
            (RustlsError::AlertReceived(AlertDescription::UnknownCA), "does not accept our certificate"),
            (RustlsError::DecryptError, "TLS: "),
        ];
        for (error, says) in cases {
            let text = explain(&io::Error::other(error), "hub.local", false);
            assert!(text.contains(says), "{text}");
        }
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(explain(&refused, "hub.local", false), refused.to_string());
    }
}
