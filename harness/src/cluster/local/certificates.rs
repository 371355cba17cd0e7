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

use sha2::{Digest, Sha256};

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
    /// The token of a member of `system:masters`. The API server verifies it in no time, other than a
    /// client certificate, whose signatures it checks with every request.
    pub(super) admin_token: String,
    /// The file that tells the API server of it.
    pub(super) tokens: PathBuf,
    /// Key that signs `ServiceAccount` tokens.
    pub(super) service_account_key: PathBuf,
    /// Public key that verifies them.
    pub(super) service_account_public: PathBuf,
}

/// Makes all of them in `dir`, the keys readable by the user only.
pub(super) fn make(dir: &Path) -> Result<Certificates, ClusterError> {
    let authority = authority().map_err(|error| ClusterError::Certificate("the authority", error))?;
    let server = signed(&authority, "kube-apiserver", server_names())
        .map_err(|error| ClusterError::Certificate("the API server", error))?;
    let signer = KeyPair::generate().map_err(|error| ClusterError::Certificate("the token signer", error))?;
    let admin = KeyPair::generate().map_err(|error| ClusterError::Certificate("the administrator", error))?;
    // A fresh private key is as hard to guess as a token has to be.
    let admin_token = hex::encode(Sha256::digest(admin.serialize_der()));
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
        tokens: save("tokens.csv", &format!("{admin_token},hallmark,hallmark,system:masters\n"))?,
        admin_token,
        service_account_key: save("service-account.key", &signer.serialize_pem())?,
        service_account_public: save("service-account.pub", &signer.public_key_pem())?,
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
    names: Vec<String>,
) -> Result<Pem, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok(Pem { certificate: certificate.pem(), key: key.serialize_pem() })
}
