//! Tests that documents name, by `FILE::TEST`.

use std::fs;

use switchback_tests_it::root;

/// What is wrong with a name of a test.
pub(crate) fn fault(named: &str) -> Option<String> {
    let Some((file, name)) = named.trim_matches('`').split_once("::") else {
        return Some(format!("{named:?} is not FILE::TEST"));
    };
    let Ok(text) = fs::read_to_string(root().join(file)) else {
        return Some(format!("there is no {file}"));
    };
    // Whatever other attributes stand between.
    let is_test = ["#[test]", "#[tokio::test"].into_iter().any(|attribute| {
        let after =
            |rest: &str| rest.split("fn ").nth(1).is_some_and(|it| it.starts_with(&format!("{name}(")));
        text.split(attribute).skip(1).any(after)
    });
    (!is_test).then(|| format!("{file} has no test {name}"))
}
