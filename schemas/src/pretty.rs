//! JSON for people: what fits a line stands on one, the rest is indented, a field or an item on a line. Items of which none fits a line
//! are no deeper than their list.

/// Columns of a line.
const WIDTH: usize = 140;
/// Columns by which what is inside begins further right.
const INDENT: usize = 2;

/// Writes compact JSON anew, ending with a line feed. Fields keep their order; nothing but white space is added.
pub(crate) fn pretty(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() + compact.len() / 4);
    let bytes = compact.as_bytes();
    let ends = ends(bytes);
    let mut printer = Printer { compact, ends: &ends, out: &mut out };
    printer.value(0, 0, 0);
    out.push('\n');
    out
}

/// For each opening bracket, in the order in which they come, where its closing one is, and the commas and colons between: each
/// takes a space when all stands on one line.
fn ends(bytes: &[u8]) -> Vec<Container> {
    let (mut containers, mut open): (Vec<Container>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut marks = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = text_end(bytes, at),
            b'{' | b'[' => {
                open.push(containers.len());
                containers.push(Container { start: at, end: at, marks });
            }
            b'}' | b']' => {
                if let Some(container) = open.pop().and_then(|number| containers.get_mut(number)) {
                    container.end = at;
                    container.marks = marks - container.marks;
                }
            }
            b',' | b':' => marks += 1,
            _ => {}
        }
        at += 1;
    }
    containers
}

/// Where the text that begins here ends: at its closing quotation mark.
fn text_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// An object or a list.
struct Container {
    start: usize,
    end: usize,
    marks: usize,
}

struct Printer<'a> {
    compact: &'a str,
    ends: &'a [Container],
    out: &'a mut String,
}

impl Printer<'_> {
    /// Writes the value that begins at a byte, in a line that is so wide already. Says where what follows it begins.
    fn value(&mut self, start: usize, indent: usize, used: usize) -> usize {
        let bytes = self.compact.as_bytes();
        let found = self.ends.binary_search_by_key(&start, |container| container.start);
        let Some(container) = found.ok().and_then(|number| self.ends.get(number)) else {
            let end = match bytes.get(start) {
                Some(b'"') => text_end(bytes, start) + 1,
                _ => start + self.rest(start).find([',', '}', ']']).unwrap_or(self.rest(start).len()),
            };
            self.copy(start, end);
            return end;
        };
        let (end, marks) = (container.end, container.marks);
        // A comma follows.
        if end == start + 1 || used + (end + 1 - start) + marks < WIDTH {
            self.line(start, end + 1);
            return end + 1;
        }
        self.copy(start, start + 1);
        let inner = indent + INDENT;
        if self.is_wide_throughout(start, end, inner) {
            return self.joined(start, end, indent);
        }
        let mut at = start + 1;
        loop {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', inner));
            let mut used = inner;
            if bytes.get(start) == Some(&b'{') {
                let key = text_end(bytes, at) + 1;
                self.copy(at, key);
                self.out.push_str(": ");
                used += key - at + 2;
                at = key + 1;
            }
            at = self.value(at, inner, used);
            if at >= end {
                break;
            }
            self.out.push(',');
            at += 1;
        }
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.copy(end, end + 1);
        end + 1
    }

    /// Whether a list holds objects and lists only, none of which fits a line of its own.
    fn is_wide_throughout(&self, start: usize, end: usize, inner: usize) -> bool {
        let mut at = start + 1;
        let is_list = self.compact.as_bytes().get(start) == Some(&b'[');
        while is_list && at < end {
            let found = self.ends.binary_search_by_key(&at, |container| container.start);
            match found.ok().and_then(|number| self.ends.get(number)) {
                Some(item) if inner + (item.end + 1 - item.start) + item.marks >= WIDTH => at = item.end + 2,
                _ => return false,
            }
        }
        is_list
    }

    /// Writes the items of a list as deep as the list itself: `[{`, `}, {` and `}]` stand on one line.
    fn joined(&mut self, start: usize, end: usize, indent: usize) -> usize {
        let mut at = start + 1;
        loop {
            at = self.value(at, indent, WIDTH);
            if at >= end {
                break;
            }
            self.out.push_str(", ");
            at += 1;
        }
        self.copy(end, end + 1);
        end + 1
    }

    fn rest(&self, start: usize) -> &str {
        self.compact.get(start..).unwrap_or_default()
    }

    fn copy(&mut self, start: usize, end: usize) {
        self.out.push_str(self.compact.get(start..end).unwrap_or_default());
    }

    /// On one line, with a space after each comma and colon.
    fn line(&mut self, start: usize, end: usize) {
        let bytes = self.compact.as_bytes();
        let (mut at, mut from) = (start, start);
        while at < end {
            match bytes.get(at) {
                Some(b'"') => at = text_end(bytes, at),
                Some(b',' | b':') => {
                    self.copy(from, at + 1);
                    self.out.push(' ');
                    from = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        self.copy(from, end);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_fits_a_line_stands_on_one() {
        let long = "x".repeat(100);
        let value = json!({"a": {"b": [1, 2], "c": "d,e: \"f\\"}, "long": [long, {"y": long}], "none": {}, "z": null});
        let text = pretty(&value.to_string());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], r#"  "a": {"b": [1, 2], "c": "d,e: \"f\\"},"#);
        assert_eq!(lines[2], r#"  "long": ["#);
        assert_eq!(lines[6..], [r#"  "none": {},"#, r#"  "z": null"#, "}"]);
        assert!(text.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn items_of_which_none_fits_a_line_are_as_deep_as_their_list() {
        let long = "x".repeat(130);
        let value = json!({"all": [{"y": long}, {"y": long}], "some": [{"y": long}, {"z": 1}]});
        let text = pretty(&value.to_string());
        let shapes: Vec<String> = text.lines().map(|line| line.replace(&long, "x")).collect();
        let lines = [
            r"{",
            r#"  "all": [{"#,
            r#"    "y": "x""#,
            r"  }, {",
            r#"    "y": "x""#,
            r"  }],",
            r#"  "some": ["#,
            r"    {",
            r#"      "y": "x""#,
            r"    },",
            r#"    {"z": 1}"#,
            r"  ]",
            r"}",
        ];
        assert_eq!(shapes, lines);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn what_is_read_back_is_the_same() {
        for text in [r#""a\"b""#, "1", "[]", "{}", r#"[[[{"a":[{"b":[1,-2.5,true,null,"é\\"]}]}]]]"#] {
            let wide = format!("[{text},\"{}\",{text}]", "w".repeat(WIDTH));
            let again: Value = serde_json::from_str(&pretty(&wide)).unwrap();
            assert_eq!(again, serde_json::from_str::<Value>(&wide).unwrap(), "{text}");
        }
    }
}
