//! Answers of the query APIs, as a tree of elements.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

/// Elements inside of each other, at most.
const DEEPEST: usize = 64;

/// An element: its name without prefix, its text, its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Reads a document; says what is wrong with it otherwise.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::from_reader(bytes);
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(start) => {
                    if open.len() > DEEPEST {
                        return Err("elements are too deep inside of each other".to_owned());
                    }
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    open.push(Element { name, ..Self::default() });
                }
                Event::Empty(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    last(&mut open)?.children.push(Element { name, ..Self::default() });
                }
                Event::End(_) => {
                    let mut ended = open.pop().ok_or("an end without a start")?;
                    ended.text = String::from(ended.text.trim());
                    last(&mut open)?.children.push(ended);
                }
                Event::Text(text) => {
                    last(&mut open)?.text.push_str(&text.decode().map_err(|error| error.to_string())?);
                }
                Event::CData(text) => {
                    last(&mut open)?.text.push_str(&text.decode().map_err(|error| error.to_string())?);
                }
                Event::GeneralRef(entity) => {
                    let named = entity.decode().map_err(|error| error.to_string())?;
                    let into = &mut last(&mut open)?.text;
                    match entity.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(c) => into.push(c),
                        None => into.push_str(resolve_predefined_entity(&named).unwrap_or_default()),
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut root = open.pop().ok_or("an end without a start")?;
        match (open.is_empty(), root.children.pop()) {
            (true, Some(element)) => Ok(element),
            _ => Err("it is no whole document".to_owned()),
        }
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at a path of names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text at a path of names; empty when it is not there.
    pub(crate) fn text_at(&self, path: &[&str]) -> &str {
        self.at(path).map_or("", |element| element.text.as_str())
    }

    /// The items of a list at a path of names: `item` in EC2's answers, `member` in the others'.
    pub(crate) fn list(&self, path: &[&str]) -> impl Iterator<Item = &Element> {
        let items = self.at(path).map(|element| element.children.as_slice()).unwrap_or_default();
        items.iter().filter(|item| item.name == "item" || item.name == "member")
    }

    /// The first element of this name anywhere.
    pub(crate) fn find(&self, name: &str) -> Option<&Element> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }
}

fn last(open: &mut [Element]) -> Result<&mut Element, String> {
    open.last_mut().ok_or_else(|| "an end without a start".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let answer = Element::read(
            br#"<?xml version="1.0" encoding="UTF-8"?>
            <DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>
              <subnetSet><item><subnetId>subnet-1</subnetId><availableIpAddressCount>7</availableIpAddressCount></item>
              <item><subnetId>subnet-&lt;2&gt;&#x21;</subnetId><tagSet/></item></subnetSet></DescribeSubnetsResponse>"#,
        )
        .unwrap();
        let ids: Vec<_> = answer.list(&["subnetSet"]).map(|item| item.text_at(&["subnetId"])).collect();
        assert_eq!(ids, ["subnet-1", "subnet-<2>!"]);
        assert_eq!(answer.text_at(&["requestId"]), "r");
        assert_eq!(answer.list(&["nothing"]).count(), 0);
        assert_eq!(answer.find("availableIpAddressCount").unwrap().text, "7");
    }

    #[test]
    fn what_is_no_document_is_said() {
        for bad in ["", "<a>", "<a></b>", "plain", "</a>"] {
            assert!(Element::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        assert!(Element::read(deep.as_bytes()).is_err());
    }
}
