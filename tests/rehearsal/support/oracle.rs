//! What both examples do to their platforms, kept in fixtures/effects: forward, and back from every point. Whoever changes how
//! plans are written, or how runs are carried out, sees there what became different on a platform. `UPDATE=1` writes it anew.

use std::{fmt::Write as _, path::PathBuf};

use super::{
    effects::accepted,
    example::{Applied, Point},
    platform::root,
};

/// What an example did on its way to the end, hop by hop.
pub(crate) fn forward(applied: &Applied) -> String {
    let run = applied.planned.run();
    let effects = accepted(&applied.end, 0, &run);
    let mut text = String::new();
    let mut number = 0;
    for hop in &applied.planned.plan.hops {
        let last = applied.points.iter().rfind(|point| point.hop == hop.id).expect("its last point");
        let _ = writeln!(text, "== {} {}", hop.id.component(), hop.id.to());
        let until = if hop.id == applied.planned.plan.hops.last().expect("a hop").id {
            effects.len()
        } else {
            accepted(&last.world, 0, &run).len()
        };
        for effect in &effects[number..until] {
            number += 1;
            let _ = writeln!(text, "{number}. {effect}");
        }
    }
    text
}

/// What was done on rollbacks. A way that ends like one before it says so.
#[derive(Default)]
pub(crate) struct Back(Vec<(String, Vec<String>)>);

impl Back {
    /// A point by what survives a change of plans: how many effects were accepted before it, and how far the next one is.
    pub(crate) fn note(&mut self, applied: &Applied, point: &Point, effects: Vec<String>) {
        let before = accepted(&point.world, 0, &applied.planned.run()).len();
        let from = format!("after {before}, where a step {}", point.how);
        if !self.0.iter().any(|(known, same)| (known, same) == (&from, &effects)) {
            self.0.push((from, effects));
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (number, (from, effects)) in self.0.iter().enumerate() {
            let _ = writeln!(text, "== {from}: {}", effects.len());
            let shared = |other: &[String]| {
                effects.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count()
            };
            // Of those that share most, the nearest.
            let like = self.0[..number].iter().map(|(other, same)| (shared(same), other));
            let (shared, other) = like.max_by_key(|(shared, _)| *shared).unwrap_or((0, from));
            for effect in &effects[..effects.len() - shared] {
                let _ = writeln!(text, "{effect}");
            }
            if shared > 0 {
                let _ = writeln!(text, "... and the last {shared} of those {other}");
            }
        }
        text
    }
}

/// Compares with what is kept.
#[track_caller]
pub(crate) fn is_kept(example: &str, name: &str, text: &str) {
    let path: PathBuf = root().join("fixtures/effects").join(example).join(format!("{name}.txt"));
    #[expect(clippy::disallowed_methods, reason = "the suite is told by its environment to rewrite")]
    let update = std::env::var("UPDATE").is_ok();
    if update {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory is made");
        std::fs::write(&path, text).expect("a file is written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = difference(&kept, text);
    assert!(kept == text, "{} differs (UPDATE=1 writes it anew):\n{difference}", path.display());
}

/// The first lines that differ.
fn difference(kept: &str, text: &str) -> String {
    let diff = similar::TextDiff::from_lines(kept, text);
    diff.unified_diff().context_radius(3).to_string().lines().take(60).collect::<Vec<_>>().join("\n")
}
