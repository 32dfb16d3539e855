//! Heads of MLflow's database revisions by release.
//!
//! Source: wheels of mlflow-skinny 2.0.1 to 3.17.2 and mlflow 3.18.0, of the Python index, `mlflow/store/db_migrations/versions/*.py`, read on 2026-11-20.
//! Between two releases of the table the boundary is not known to the patch.

/// The first release read with a head, the head, and how many revisions there are up to it.
const HEADS: &[([u32; 3], &str, u32)] = &[
    ([2, 0, 1], "97727af70f4d", 19),
    ([2, 3, 0], "3500859a5d39", 20),
    ([2, 4, 0], "7f2a7d5fae7d", 21),
    ([2, 8, 0], "acf3f17fdcc7", 23),
    ([2, 13, 0], "867495a8f9d4", 24),
    ([2, 13, 2], "5b0e9adcef9c", 25),
    ([2, 15, 0], "4465047574b1", 26),
    ([2, 17, 0], "f5a4f2784254", 27),
    ([2, 18, 0], "0584bdc529eb", 28),
    ([3, 0, 0], "6953534de441", 30),
    ([3, 2, 0], "770bee3ae1dd", 33),
    ([3, 3, 0], "1a0cddfcaa16", 36),
    ([3, 4, 0], "71994744cf8e", 38),
    ([3, 5, 0], "bf29a5ff90ea", 40),
    ([3, 8, 0], "1bd49d398cd23", 41),
    ([3, 9, 0], "d3e4f5a6b7c8", 46),
    ([3, 10, 0], "1b5f0d9ad7c1", 49),
    ([3, 11, 0], "c3d6457b6d8a", 52),
    ([3, 12, 0], "7d34483879f0", 55),
    ([3, 13, 0], "da6fb0208061", 56),
    ([3, 14, 0], "b7e4c1a90f23", 58),
    ([3, 15, 0], "6f8d9c3b2a1e", 62),
    ([3, 16, 0], "b7e2c1a4d9f3", 65),
    ([3, 17, 0], "dc11669786a5", 67),
    ([3, 18, 0], "f4a9b2c7d1e6", 70),
];

/// A release's number, of `v3.8.0` or `3.8.0-something`.
pub(super) fn number(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.trim_start_matches('v').split(['.', '-', '+', '_']).map(|p| p.parse::<u32>().ok());
    Some([parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)])
}

/// The head that a release ships, and its place.
pub(super) fn head(release: [u32; 3]) -> Option<(&'static str, u32)> {
    HEADS.iter().rev().find(|(first, ..)| *first <= release).map(|(_, head, place)| (*head, *place))
}

/// The place of a revision that is some release's head.
pub(super) fn place(revision: &str) -> Option<u32> {
    HEADS.iter().find(|(_, head, _)| *head == revision).map(|(.., place)| *place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_heads() {
        assert_eq!(number("v3.8.0"), Some([3, 8, 0]));
        assert_eq!(number("3.17.2-psycopg2"), Some([3, 17, 2]));
        assert_eq!(number("latest"), None);
        assert_eq!(head([3, 8, 0]), Some(("1bd49d398cd23", 41)));
        assert_eq!(head([3, 8, 1]), head([3, 8, 0]));
        assert_eq!(head([3, 17, 2]), Some(("dc11669786a5", 67)));
        assert_eq!(head([1, 30, 0]), None);
        assert_eq!(place("5b0e9adcef9c"), Some(25));
    }
}
