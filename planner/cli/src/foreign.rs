//! Documents that are no manifests: a file that is named by mistake, or that a link leads to, may hold secrets. Of them
//! only places are told, never their text.

use std::ops::Range;

use switchback_schemas::{Diagnostic, Label, codes::Code};

/// What every manifest's `apiVersion` begins with.
const OURS: &str = "switchback.dev/";

/// Where the foreign documents of a file lie, in bytes.
pub(crate) fn places(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let (mut begin, mut at, mut ours) = (0, 0, false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"---") && at > begin {
            places.extend((!ours).then_some(begin..at));
            (begin, ours) = (at, false);
        }
        ours |= is_ours(line);
        at += line.len();
    }
    places.extend((!ours).then_some(begin..at));
    places
}

/// Whether a line says that its document is a manifest. In what is not UTF-8 no line does.
fn is_ours(line: &[u8]) -> bool {
    let line = std::str::from_utf8(line).unwrap_or_default();
    let after = |text: &str| text.split_once("apiVersion").map(|(_, rest)| rest.to_owned());
    after(line).is_some_and(|rest| {
        rest.trim_start_matches(|c: char| c == ':' || c == '"' || c == '\'' || c.is_whitespace())
            .starts_with(OURS)
    })
}

/// A file's bytes with blanks for what is foreign; line ends stay, and so does every place.
pub(crate) fn blanked(mut bytes: Vec<u8>, places: &[Range<usize>]) -> Vec<u8> {
    for place in places {
        for byte in bytes.get_mut(place.clone()).into_iter().flatten().filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
    }
    bytes
}

/// A finding about a foreign document in words of ours alone: what stands there is not repeated.
pub(crate) fn reduced(finding: Diagnostic, is_foreign: impl Fn(&Label) -> bool) -> Diagnostic {
    if !finding.labels.iter().any(&is_foreign) {
        return finding;
    }
    let title = Code::find(finding.code.as_str()).map_or("it cannot be read", |entry| entry.title);
    let labels = finding.labels.into_iter().map(|label| match is_foreign(&label) {
        true => Label { text: "here, in what is no manifest".to_owned(), ..label },
        false => label,
    });
    let help =
        format!("begin manifests with `apiVersion: {OURS}v1alpha1`, and leave other files and objects out");
    Diagnostic { message: title.to_owned(), labels: labels.collect(), help: Some(help), ..finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_documents_that_are_no_manifests_are_found() {
        let ours = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\n";
        let foreign = "apiVersion: v1\nstringData: {a: switchback.dev/}\n";
        assert!(places(ours.as_bytes()).is_empty());
        assert!(places(b"{\"apiVersion\": \"switchback.dev/v1alpha1\"}").is_empty());
        let text = format!("# x\n{ours}---\n{foreign}--- # y\n{ours}");
        let begin = text.find("---").expect("it is there");
        let end = text.rfind("---").expect("it is there");
        let found = places(text.as_bytes());
        assert_eq!(found.as_slice(), std::slice::from_ref(&(begin..end)));
        let blank = String::from_utf8(blanked(text.clone().into_bytes(), &found)).expect("text");
        assert_eq!(blank.len(), text.len());
        assert!(blank.contains("Platform") && !blank.contains("stringData"), "{blank}");
        assert_eq!(places(b"\xff\xfe").first(), Some(&(0..2)));
        assert_eq!(places(b"").first(), Some(&(0..0)));
    }
}
