//! A private certificate authority and a server certificate for 127.0.0.1 and localhost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::SandboxError;

/// What a TLS sandbox needs: the acceptor, and the authority a client must trust.
pub struct Tls {
    /// Accepts connections.
    pub acceptor: TlsAcceptor,
    /// Certificate of the authority, PEM.
    pub ca_pem: String,
    /// Where that PEM was written, when there is a state folder.
    pub ca_file: Option<PathBuf>,
}

/// Makes the authority and the certificate; they are kept in the state folder, so a restart keeps the same authority.
pub fn make(folder: Option<&Path>) -> Result<Tls, SandboxError> {
    let stored = |name: &str| folder.and_then(|folder| std::fs::read_to_string(folder.join(name)).ok());
    let (ca_pem, cert_pem, key_pem) = match (stored("ca.pem"), stored("server.pem"), stored("server.key")) {
        (Some(ca), Some(cert), Some(key)) => (ca, cert, key),
        _ => issue().map_err(|error| SandboxError::Tls(error.to_string()))?,
    };
    let mut ca_file = None;
    if let Some(folder) = folder {
        for (name, text) in [("ca.pem", &ca_pem), ("server.pem", &cert_pem), ("server.key", &key_pem)] {
            std::fs::write(folder.join(name), text)
                .map_err(|source| SandboxError::state(&folder.join(name), source))?;
        }
        ca_file = Some(folder.join("ca.pem"));
    }
    let failed = |error: &dyn std::fmt::Display| SandboxError::Tls(error.to_string());
    let cert = der(&cert_pem).ok_or_else(|| failed(&"server.pem holds no certificate"))?;
    let key = der(&key_pem).ok_or_else(|| failed(&"server.key holds no key"))?;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(cert)], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)))
        .map_err(|error| failed(&error))?;
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem, ca_file })
}

fn issue() -> Result<(String, String, String), rcgen::Error> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "Koppel sandbox authority");
    let ca_key = KeyPair::generate()?;
    let ca_cert = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);
    let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let cert = params.signed_by(&key, &issuer)?;
    Ok((ca_cert.pem(), cert.pem(), key.serialize_pem()))
}

/// The bytes between the lines of a PEM file.
fn der(pem: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok().filter(|bytes| !bytes.is_empty())
}
