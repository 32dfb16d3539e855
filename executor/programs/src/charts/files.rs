//! The files of a chart, a directory or an archive, read as they are.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

/// Bytes of a chart that are looked at; helm takes no larger one.
const LARGEST: u64 = 100 << 20;

/// Shows every file of a chart with its name. Names in an archive begin with the chart's.
pub(super) fn each(chart: &Path, look: &mut impl FnMut(&Path, &[u8])) -> io::Result<()> {
    if chart.is_dir() {
        return directory(chart, look);
    }
    let unpacked = GzDecoder::new(fs::File::open(chart)?).take(LARGEST);
    for entry in tar::Archive::new(unpacked).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        look(&name, &text);
    }
    Ok(())
}

/// The YAML files that lie directly in a directory of a chart, by name.
pub(super) fn yaml_of(chart: &Path, inside: &str) -> io::Result<Vec<String>> {
    let archive = !chart.is_dir();
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    each(chart, &mut |name, text| {
        let mut parts = name.components();
        if archive {
            parts.next();
        }
        let name = parts.as_path();
        let yaml = name.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if yaml && name.parent() == Some(Path::new(inside)) {
            found.push((name.to_owned(), String::from_utf8_lossy(text).into_owned()));
        }
    })?;
    found.sort();
    Ok(found.into_iter().map(|(_, text)| text).collect())
}

fn directory(chart: &Path, look: &mut impl FnMut(&Path, &[u8])) -> io::Result<()> {
    let mut open: Vec<PathBuf> = vec![chart.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                look(path.strip_prefix(chart).unwrap_or(&path), &fs::read(&path)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_found_in_a_chart_and_in_its_archive() {
        let dir = tempfile::tempdir().unwrap();
        let chart = dir.path().join("flows");
        for (name, text) in [
            ("files/crds/full/b.yaml", "kind: B"),
            ("files/crds/full/a.yaml", "kind: A"),
            ("files/crds/full/deeper/c.yaml", "kind: C"),
            ("files/crds/full/README.md", "kind: D"),
            ("files/crds/minimal/a.yaml", "kind: E"),
        ] {
            let path = chart.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(yaml_of(&chart, "files/crds/full").unwrap(), ["kind: A", "kind: B"]);
        let archive = dir.path().join("flows-1.0.0.tgz");
        let packed =
            flate2::write::GzEncoder::new(fs::File::create(&archive).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(packed);
        builder.append_dir_all("flows", &chart).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        assert_eq!(yaml_of(&archive, "files/crds/full").unwrap(), ["kind: A", "kind: B"]);
        assert_eq!(yaml_of(&chart, "crds").unwrap(), Vec::<String>::new());
    }
}
