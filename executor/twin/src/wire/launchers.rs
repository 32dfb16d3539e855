//! A `bin/` of launchers: programs that post their argv to the twin.

use std::net::SocketAddr;
use std::path::Path;

use crate::error::TwinError;

/// Writes `dir/helm`, a launcher that calls `exec twin program --endpoint … -- helm "$@"`.
pub fn write_launchers(dir: &Path, exec: &str, addr: SocketAddr) -> Result<(), TwinError> {
    std::fs::create_dir_all(dir).map_err(TwinError::Launcher)?;
    let quoted = exec.replace('\'', "'\\''");
    let text = format!("#!/bin/sh\nexec '{quoted}' twin program --endpoint http://{addr} -- helm \"$@\"\n");
    let path = dir.join("helm");
    std::fs::write(&path, text).map_err(TwinError::Launcher)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .map_err(TwinError::Launcher)?;
    }
    Ok(())
}
