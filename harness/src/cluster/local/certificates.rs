//! The certificates of a cluster that lives for one run.
//!
//! EC keys on P-256 are made in a hundredth of a second each; RSA keys cost seconds.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::cluster::ClusterError;

/// Paths of PEM files.
#[derive(Debug, Clone)]
pub(super) struct Certificates {
    /// Certificate of the authority that signs everything below.
    pub(super) ca: PathBuf,
    /// The API server's serving certificate and key.
    pub(super) server: PathBuf,
    /// Its key.
    pub(super) server_key: PathBuf,
    /// Client certificate of a member of `system:masters`.
    pub(super) admin: PathBuf,
    /// Its key.
    pub(super) admin_key: PathBuf,
    /// Key that signs `ServiceAccount` tokens.
    pub(super) service_account_key: PathBuf,
    /// Public key that verifies them.
    pub(super) service_account_public: PathBuf,
}

/// Makes all of them in `dir`, the keys readable by the user only.
pub(super) fn make(dir: &Path) -> Result<Certificates, ClusterError> {
    let authority = authority().map_err(|error| ClusterError::Certificate("the authority", error))?;
    let server = signed(&authority, "kube-apiserver", None, server_names())
        .map_err(|error| ClusterError::Certificate("the API server", error))?;
    let admin = signed(&authority, "hallmark", Some("system:masters"), Vec::new())
        .map_err(|error| ClusterError::Certificate("the administrator", error))?;
    let tokens = KeyPair::generate().map_err(|error| ClusterError::Certificate("the token signer", error))?;
    let save = |name: &str, text: &str| -> Result<PathBuf, ClusterError> {
        let path = dir.join(name);
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(ClusterError::io("write", &path))?;
        Ok(path)
    };
    Ok(Certificates {
        ca: save("ca.crt", &authority.pem())?,
        server: save("apiserver.crt", &server.certificate)?,
        server_key: save("apiserver.key", &server.key)?,
        admin: save("admin.crt", &admin.certificate)?,
        admin_key: save("admin.key", &admin.key)?,
        service_account_key: save("service-account.key", &tokens.serialize_pem())?,
        service_account_public: save("service-account.pub", &tokens.public_key_pem())?,
    })
}

struct Pem {
    certificate: String,
    key: String,
}

fn server_names() -> Vec<String> {
    ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        .map(str::to_owned)
        .to_vec()
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "hallmark local cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn signed(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    organization: Option<&str>,
    names: Vec<String>,
) -> Result<Pem, rcgen::Error> {
    let usage = if names.is_empty() {
        ExtendedKeyUsagePurpose::ClientAuth
    } else {
        ExtendedKeyUsagePurpose::ServerAuth
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(organization) = organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok(Pem { certificate: certificate.pem(), key: key.serialize_pem() })
}
