//! "did you mean": the nearest of some names.

/// The name that was most likely meant, if any is near enough to be a slip.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = text.to_lowercase();
    let near = |name: &&'a str| {
        let distance = strsim::damerau_levenshtein(&folded, &name.to_lowercase());
        // A third of the letters may differ; short names need to be closer.
        (distance <= name.chars().count().max(3) / 3).then_some(distance)
    };
    names
        .into_iter()
        .filter_map(|name| near(&name).map(|distance| (distance, name)))
        .min()
        .map(|(_, name)| name)
}

/// `a, b or c`, each in backticks.
pub(super) fn any<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    list(names, "or")
}

/// `a, b and c`, each in backticks.
pub(super) fn all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    list(names, "and")
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {word} {last}", names.join(", ")),
    }
}

/// Help that names the nearest of the allowed words first.
pub(super) fn help<'a>(text: &str, what: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(text, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{what} {}", all(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let names = ["maxUnavailable", "batch", "soak", "to"];
        assert_eq!(nearest("maxUnavailible", names), Some("maxUnavailable"));
        assert_eq!(nearest("max_unavailable", names), Some("maxUnavailable"));
        assert_eq!(nearest("Batch", names), Some("batch"));
        assert_eq!(nearest("replicas", names), None);
        assert_eq!(nearest("ot", names), Some("to"));
        assert_eq!(any(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(all(["a"]), "`a`");
    }
}
