//! TLS by rustls with ring: the public authorities of the web, plus one file of a private authority when a connection
//! names it. Certificate checks cannot be switched off.

use std::sync::Arc;

use koppel_core::{Cause, Failure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The TLS set-up of a client. `ca_file` is added to the public authorities, it never replaces them.
pub fn config(ca_file: Option<&str>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        for certificate in read(path)? {
            roots.add(certificate).map_err(|error| {
                unreadable(path, &format!("a certificate in it is not usable as an authority ({error})"))
            })?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::settings(Cause::new("tls_unavailable", format!("TLS cannot be set up: {error}"))))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn read(path: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = std::fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let list: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(path, &error.to_string()))?;
    if list.is_empty() {
        return Err(unreadable(path, "it holds no certificate"));
    }
    Ok(list)
}

fn unreadable(path: &str, why: &str) -> Failure {
    Failure::settings(
        Cause::new("ca_file_unreadable", format!("the authority file «{path}» cannot be used: {why}"))
            .advice("give ca_file the path of a PEM file with the authority's certificate, readable by Koppel"),
    )
}
