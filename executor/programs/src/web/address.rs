//! Addresses that must not be called: those of instance metadata, which hand credentials to whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// Names of metadata services.
const NAMES: [&str; 3] = ["metadata.google.internal", "metadata", "instance-data"];

/// Whether a URL may be called at all; why not.
pub(super) fn check(uri: &Uri) -> Result<(), String> {
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err("only http and https are spoken".to_owned()),
    }
    let Some(host) = uri.host() else { return Err("it names no host".to_owned()) };
    let plain = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let is_metadata = NAMES.iter().any(|name| plain.eq_ignore_ascii_case(name));
    if is_metadata || plain.parse::<IpAddr>().is_ok_and(is_forbidden) {
        return Err("it belongs to instance metadata, which hands out credentials".to_owned());
    }
    Ok(())
}

/// Whether an address belongs to instance metadata, or is no address of one host.
pub(super) fn is_forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_forbidden_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_forbidden_v4(ip),
            None => is_forbidden_v6(ip),
        },
    }
}

fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip == Ipv4Addr::new(100, 100, 100, 200)
}

fn is_forbidden_v6(ip: Ipv6Addr) -> bool {
    // fd00:ec2::/32 is where EC2 answers over IPv6.
    let of_ec2 = matches!(ip.segments(), [0xfd00, 0x0ec2, ..]);
    of_ec2 || ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_never_called() {
        for url in [
            "http://169.254.169.254/latest/meta-data",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://metadata.google.internal./",
            "http://100.100.100.200/",
            "http://0.0.0.0/",
            "ftp://files.example/",
            "/relative",
        ] {
            let uri: Uri = url.parse().unwrap();
            assert!(check(&uri).is_err(), "{url}");
        }
    }

    #[test]
    fn ordinary_addresses_are_called() {
        for url in ["http://127.0.0.1:9090/x", "https://prometheus.monitoring.svc/", "http://10.0.0.1"] {
            let uri: Uri = url.parse().unwrap();
            assert_eq!(check(&uri), Ok(()), "{url}");
        }
    }
}
