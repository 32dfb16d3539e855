//! Templates that call `lookup`: what it finds on the cluster, a render cannot show.

use std::{io, path::Path};

use super::files;

/// The templates of a chart, a directory or an archive, that call `lookup`; sorted.
pub(crate) fn of(chart: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    files::each(chart, &mut |name, text| {
        let is_template = name.components().any(|part| part.as_os_str() == "templates");
        if is_template && calls(&String::from_utf8_lossy(text)) {
            found.push(name.to_string_lossy().into_owned());
        }
    })?;
    found.sort();
    Ok(found)
}

/// Whether an action of a template calls `lookup`.
fn calls(template: &str) -> bool {
    let actions = template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    let code = actions.filter(|action| !action.trim_start_matches(['-', ' ']).starts_with("/*"));
    code.flat_map(|action| {
        action.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '.' | '$')))
    })
    .any(|word| word == "lookup")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CALLS: &str = "{{- $old := (lookup \"v1\" \"Secret\" .Release.Namespace \"x\") }}";
    const SILENT: &str =
        "# lookup\n{{/* lookup finds it */}}\n{{ .Values.lookup }}\nlookup: {{ include \"x.lookup\" . }}";

    #[test]
    fn a_call_is_no_comment_and_no_field() {
        assert!(calls(CALLS) && calls("{{ if not (lookup \"v1\" \"Pod\" \"\" \"\") }}"));
        assert!(!calls(SILENT));
    }

    #[test]
    fn directories_and_archives_are_read_alike() {
        let dir = tempfile::tempdir().unwrap();
        let chart = dir.path().join("things");
        fs::create_dir_all(chart.join("charts/sub/templates")).unwrap();
        fs::write(chart.join("values.yaml"), CALLS).unwrap();
        fs::write(chart.join("charts/sub/templates/secret.yaml"), CALLS).unwrap();
        assert_eq!(of(&chart).unwrap(), ["charts/sub/templates/secret.yaml"]);
        let archive = dir.path().join("things-1.0.0.tgz");
        let packed =
            flate2::write::GzEncoder::new(fs::File::create(&archive).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(packed);
        builder.append_dir_all("things", &chart).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        assert_eq!(of(&archive).unwrap(), ["things/charts/sub/templates/secret.yaml"]);
    }
}
