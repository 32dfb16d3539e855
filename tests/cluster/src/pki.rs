//! Certificates and keys of one cluster: a CA, the API server's certificate, one client certificate
//! per user, and the key that signs service-account tokens. They live and die with the run directory.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::Error;

/// Files of the cluster's own certificate authority and of what it signed.
#[derive(Debug)]
pub(crate) struct Pki {
    pub(crate) ca: PathBuf,
    pub(crate) ca_key: PathBuf,
    pub(crate) serving: PathBuf,
    pub(crate) serving_key: PathBuf,
    pub(crate) service_account_key: PathBuf,
    pub(crate) service_account_public_key: PathBuf,
    pub(crate) admin: Client,
    pub(crate) controller_manager: Client,
    pub(crate) scheduler: Client,
}

/// A user that authenticates with a certificate.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Names the API server is reached by. 10.0.0.1 is the first address of the service range, the
/// one the `kubernetes` Service gets.
const SERVING_NAMES: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "10.0.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

impl Pki {
    /// Makes everything anew in `dir`.
    pub(crate) fn create(dir: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::io("create", dir))?;

        let ca_pair = KeyPair::generate()?;
        let mut params = params(&[], "switchback-test-ca", None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let ca = write(dir, "ca.crt", &params.self_signed(&ca_pair)?.pem())?;
        let ca_key = write(dir, "ca.key", &ca_pair.serialize_pem())?;
        let issuer = Issuer::new(params, ca_pair);

        let names: Vec<String> = SERVING_NAMES.iter().map(|&name| name.to_owned()).collect();
        let (serving, serving_key) = signed(
            dir,
            "apiserver",
            &names,
            "kube-apiserver",
            None,
            ExtendedKeyUsagePurpose::ServerAuth,
            &issuer,
        )?;

        let client = |name: &'static str, user, group| -> Result<Client, Error> {
            let usage = ExtendedKeyUsagePurpose::ClientAuth;
            let (certificate, key) = signed(dir, name, &[], user, group, usage, &issuer)?;
            Ok(Client { name, certificate, key })
        };
        let masters = Some("system:masters");
        let admin = client("admin", "switchback-test-admin", masters)?;
        // It runs every controller under its own name, which RBAC's default role for that name does
        // not allow; hence the group.
        let controller_manager = client("controller-manager", "system:kube-controller-manager", masters)?;
        let scheduler = client("scheduler", "system:kube-scheduler", None)?;

        let tokens = KeyPair::generate()?;
        Ok(Self {
            ca,
            ca_key,
            serving,
            serving_key,
            service_account_key: write(dir, "service-account.key", &tokens.serialize_pem())?,
            service_account_public_key: write(dir, "service-account.pub", &tokens.public_key_pem())?,
            admin,
            controller_manager,
            scheduler,
        })
    }
}

fn params(names: &[String], common_name: &str, group: Option<&str>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    // Fixed and wide: a machine with a wrong clock still gets a cluster.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    Ok(params)
}

fn signed(
    dir: &Path,
    file: &str,
    names: &[String],
    common_name: &str,
    group: Option<&str>,
    usage: ExtendedKeyUsagePurpose,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(PathBuf, PathBuf), Error> {
    let pair = KeyPair::generate()?;
    let mut params = params(names, common_name, group)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&pair, issuer)?;
    Ok((
        write(dir, &format!("{file}.crt"), &certificate.pem())?,
        write(dir, &format!("{file}.key"), &pair.serialize_pem())?,
    ))
}

/// Writes a file that only its owner reads. The old one goes first: its mode would stay.
fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = dir.join(name);
    let _ = fs::remove_file(&path);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io("write", &path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_pem_and_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::create(&dir.path().join("pki")).unwrap();
        let keys = [&pki.ca_key, &pki.serving_key, &pki.service_account_key, &pki.admin.key];
        for path in keys {
            assert!(fs::read_to_string(path).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        for path in [&pki.ca, &pki.serving, &pki.scheduler.certificate] {
            assert!(fs::read_to_string(path).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        }
        let public = fs::read_to_string(&pki.service_account_public_key).unwrap();
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"));
        assert!(pki.controller_manager.certificate.is_absolute());
    }
}
