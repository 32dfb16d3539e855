//! Markdown for comments on pull requests: short first, details folded, never over the forge's limit.

use crate::SafeText;

/// Bytes that a comment may have; GitHub takes 65,536 characters, and something is added around it.
pub const COMMENT_LIMIT: usize = 60_000;

/// Foreign text in the middle of a line: cleaned, and without any meaning to Markdown or HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in SafeText::line(text, usize::MAX).as_str().chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // An empty comment keeps forges from notifying people and linking issues.
            '@' | '#' => {
                escaped.push(c);
                escaped.push_str("<!-- -->");
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | '+' | '-'
            | '=' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A word in code style, whatever backticks it holds.
pub fn code(text: &str) -> String {
    let text = SafeText::line(text, usize::MAX).to_string();
    let fence = "`".repeat(longest_run(&text) + 1);
    match text.starts_with('`') || text.ends_with('`') || text.is_empty() {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

/// Lines in a code block.
pub fn fenced(text: &str, language: &str) -> String {
    let text = SafeText::block(text, usize::MAX).to_string();
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// A part that is folded until somebody wants to see it. `body` is Markdown.
pub fn details(summary: &str, body: &str) -> String {
    format!("<details>\n<summary>{}</summary>\n\n{}\n\n</details>\n", escape(summary), body.trim_end())
}

/// A table; cells are Markdown, their line breaks become `<br>`.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", headings.join(" | "), " --- |".repeat(headings.len()));
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(|cell| cell.trim().replace('\n', "<br>")).collect();
        text.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    text
}

/// Joins parts, the most important first, until the limit; a part is taken whole or not at all, and the last line
/// says how many were left out.
pub fn fit<'a>(parts: impl IntoIterator<Item = &'a str>, limit: usize) -> String {
    let parts: Vec<&str> = parts.into_iter().collect();
    let whole: usize = parts.iter().map(|part| part.len() + 1).sum();
    let note = |left: usize| {
        format!("\n_{left} parts left out: the comment would be too long; see the files of the job._\n")
    };
    let limit = if whole <= limit { limit } else { limit.saturating_sub(note(parts.len()).len()) };
    let mut text = String::new();
    let mut left = 0;
    for part in parts {
        // What comes after the first part left out is less important than it.
        if left == 0 && text.len() + part.len() < limit {
            text.push_str(part);
            text.push('\n');
        } else {
            left += 1;
        }
    }
    if left > 0 {
        text.push_str(&note(left));
    }
    text
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_has_no_meaning() {
        assert_eq!(escape("<img src=x>"), "&lt;img src\\=x&gt;");
        assert_eq!(escape("a|b\n**c**"), "a\\|b \\*\\*c\\*\\*");
        assert!(!escape("@team").contains("@team"));
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(fenced("```\nx", "text"), "````text\n```\nx\n````\n");
    }

    #[test]
    fn details_are_folded() {
        assert_eq!(
            details("37 steps", "- one\n"),
            "<details>\n<summary>37 steps</summary>\n\n- one\n\n</details>\n"
        );
    }

    #[test]
    fn rows_stay_rows() {
        let text = table(&["step", "why"], [vec!["a".to_owned(), "b\nc".to_owned()]]);
        assert_eq!(text, "| step | why |\n| --- | --- |\n| a | b<br>c |\n");
    }

    #[test]
    fn a_comment_stays_under_the_limit_and_says_so() {
        let big = "x".repeat(50_000);
        let text = fit(["summary", &big, &big, "tail"], COMMENT_LIMIT);
        assert!(text.len() <= COMMENT_LIMIT, "{}", text.len());
        assert!(text.starts_with("summary\n"), "the most important part comes first");
        assert!(text.contains("2 parts left out"), "{}", &text[text.len() - 100..]);
        assert_eq!(fit(["a", "b"], 4), "a\nb\n");
    }
}
