//! The difference of two plans, as text.

use std::fmt;

use similar::{ChangeTag, TextDiff};
use switchback_model::{Aspect, PlanDiff};

/// Lines shown around a changed one.
const CONTEXT: usize = 2;

/// Renders a difference.
pub struct Diff<'a>(pub &'a PlanDiff);

impl fmt::Display for Diff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let diff = self.0;
        if diff.is_empty() {
            return match (diff.effects_changed, diff.review_changed) {
                (false, false) => writeln!(f, "The plans do the same: approvals of one hold for the other."),
                _ => writeln!(
                    f,
                    "Everything that both plans show is the same, but their digests differ: one file was edited by hand."
                ),
            };
        }
        for change in &diff.hops {
            let hop = &change.hop;
            let from = hop.from.as_ref().map_or_else(String::new, |from| format!("{from} -> "));
            writeln!(f, "{} hop {} ({from}{})", change.mark.symbol(), hop.id, hop.id.to())?;
            change.aspects.iter().try_for_each(|change| aspect(f, change))?;
        }
        for (mark, line) in &diff.points {
            writeln!(
                f,
                "{} point of no return {} at {}: {} ends here",
                mark.symbol(),
                line.id,
                line.step,
                line.ends
            )?;
        }
        for step in &diff.steps {
            writeln!(f, "{} {}", step.mark.symbol(), step.id)?;
            writeln!(f, "    {}", step.title)?;
            step.aspects.iter().try_for_each(|change| aspect(f, change))?;
        }
        for part in &diff.parts {
            writeln!(f, "~ {}", part.name)?;
            aspect_lines(f, part)?;
        }
        let shown = |changed: bool| if changed { "changed" } else { "the same" };
        writeln!(f, "\neffects {}, review {}", shown(diff.effects_changed), shown(diff.review_changed))?;
        if diff.review_changed {
            writeln!(f, "Approvals of the old plan do not hold for the new one.")?;
        }
        Ok(())
    }
}

fn aspect(f: &mut fmt::Formatter<'_>, change: &Aspect) -> fmt::Result {
    writeln!(f, "    {}:", change.name)?;
    aspect_lines(f, change)
}

fn aspect_lines(f: &mut fmt::Formatter<'_>, change: &Aspect) -> fmt::Result {
    let text =
        |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    let (before, after) = (text(&change.before), text(&change.after));
    let diff = TextDiff::from_lines(&before, &after);
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            writeln!(f, "        …")?;
        }
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match line.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            writeln!(f, "        {sign}{}", line.value().trim_end_matches('\n'))?;
        }
    }
    Ok(())
}
