//! Builds a module's programs into the cache.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    Error,
    cache::{self, BUILD_FLAGS},
    host::{self, Stopwatch},
    modules::Module,
    process,
};

/// The folder that holds a module's programs, if all of them are there. What else is kept of the module stands beside it.
pub(crate) fn built(module: &Module) -> Result<Option<PathBuf>, Error> {
    let place = cache::root()?.join(cache::key(module)?);
    let bin = place.join("bin");
    let complete = module.programs.iter().all(|program| bin.join(program.name).is_file())
        && module.folders.iter().all(|folder| place.join(folder.to).is_dir());
    Ok(complete.then_some(bin))
}

/// The folder that holds a module's programs, which are built if need be, with a line of progress before and after.
pub(crate) fn found_or_built(module: &Module, mut progress: impl FnMut(&str)) -> Result<PathBuf, Error> {
    if let Some(bin) = built(module)? {
        return Ok(bin);
    }
    let version = module.version()?;
    progress(&format!("{} {version}: building", module.name));
    let stopwatch = Stopwatch::start();
    let bin = build(module)?;
    progress(&format!("{} {version}: built in {} s", module.name, stopwatch.elapsed().as_secs()));
    Ok(bin)
}

/// Builds what `built` does not find. Two builders of one module wait for each other; a build that
/// is cut short leaves nothing that looks finished.
pub(crate) fn build(module: &Module) -> Result<PathBuf, Error> {
    let root = cache::root()?;
    let key = cache::key(module)?;
    fs::create_dir_all(&root).map_err(Error::io("create", &root))?;
    let lock_path = root.join(format!("{key}.lock"));
    let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
    lock.lock().map_err(Error::io("lock", &lock_path))?;
    if let Some(bin) = built(module)? {
        return Ok(bin);
    }

    // In the cache itself, so that the rename below stays on one file system.
    let temporary = tempfile::Builder::new()
        .prefix("build-")
        .tempdir_in(&root)
        .map_err(Error::io("create a directory in", &root))?;
    let source = temporary.path().join("module");
    let finished = temporary.path().join("finished");
    let bin = finished.join("bin");
    for directory in [&source, &bin] {
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    }
    // Built from the text this program was compiled with, so that key and input cannot differ.
    for (name, text) in [("go.mod", module.go_mod), ("go.sum", module.go_sum)] {
        let path = source.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    compile(module, &source, &bin)?;
    copy_folders(module, &source, &finished)?;

    let target = root.join(&key);
    if target.exists() {
        // Something removed a program from it; the lock says nobody else is at it.
        fs::remove_dir_all(&target).map_err(Error::io("remove", &target))?;
    }
    fs::rename(&finished, &target).map_err(Error::io("put in place", &target))?;
    Ok(target.join("bin"))
}

fn compile(module: &Module, source: &Path, bin: &Path) -> Result<(), Error> {
    let output = match module.programs {
        // Named here, because Go would call it after its package ("server", "helm").
        [only] => bin.join(only.name),
        _ => bin.join(""),
    };
    let result = go(source)
        .arg("build")
        .args(BUILD_FLAGS)
        // Two at a time: the rest of a test run shares the machine.
        .args(["-p", "2", "-ldflags"])
        .arg(module.ldflags()?)
        .arg("-o")
        .arg(output)
        // One call for all of a module's programs, so that they share the work.
        .args(module.programs.iter().map(|program| program.package))
        .output();
    answered(module, result).map(drop)
}

/// Copies what is kept of the module's source. The build has brought all of it onto this machine.
fn copy_folders(module: &Module, source: &Path, finished: &Path) -> Result<(), Error> {
    if module.folders.is_empty() {
        return Ok(());
    }
    let list = go(source).args(["list", "-m", "-f", "{{.Dir}}", module.requirement]).output();
    let list = answered(module, list)?;
    let published = PathBuf::from(String::from_utf8_lossy(&list.stdout).trim());
    for folder in module.folders {
        copy(&published.join(folder.from), &finished.join(folder.to))?;
    }
    Ok(())
}

/// Copies a folder. Go keeps its files read-only; the copies can be written and deleted.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            let content = fs::read(&path).map_err(Error::io("read", &path))?;
            fs::write(&target, content).map_err(Error::io("write", &target))?;
        }
    }
    Ok(())
}

fn go(source: &Path) -> Command {
    let mut command = host::command("go");
    command.current_dir(source).env("CGO_ENABLED", "0");
    // A go.work above the cache directory is not ours.
    command.env("GOWORK", "off");
    command
}

/// What Go answered, if it did what was asked.
fn answered(module: &Module, result: io::Result<Output>) -> Result<Output, Error> {
    match result {
        Ok(output) if output.status.success() => Ok(output),
        Ok(Output { status, stderr, .. }) => Err(Error::GoBuild {
            module: module.name,
            status,
            output: process::tail(&String::from_utf8_lossy(&stderr)),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::GoMissing),
        Err(error) => Err(host::spawn("go", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_with_what_is_in_its_folders_and_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("inner")).unwrap();
        let file = from.join("inner/file");
        fs::write(&file, "text").unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).unwrap();
        copy(&from, &to).unwrap();
        let copied = to.join("inner/file");
        assert_eq!(fs::read_to_string(&copied).unwrap(), "text");
        assert!(!fs::metadata(copied).unwrap().permissions().readonly());
    }
}
