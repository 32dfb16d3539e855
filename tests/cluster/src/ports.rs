//! Free ports on loopback.

use std::{io, net::TcpListener};

/// As many distinct ports as asked for, free at this moment. All are held until the last is
/// known, so that no two are the same. Somebody else can still take one before the program that
/// gets it binds it; `Cluster::start` tries again then.
pub(crate) fn free<const N: usize>() -> io::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_can_be_bound() {
        let mut ports = free::<16>().unwrap();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
        // Others on this machine take ports, too, and may have taken some of these since; they cannot have taken all.
        assert!(ports.iter().any(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()), "{ports:?}");
    }
}
