//! The tree: what stands where.

use std::{ops::Range, sync::Arc};

use serde_json::{Map, Value};

use super::Scalar;
use crate::objects;

/// A node and the bytes it was written in.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The bytes of its text; for an alias those of `*name`.
    pub span: Range<usize>,
    /// What it holds.
    pub content: Content,
    /// Something about this node was refused already, so that further complaints about its shape would only repeat it.
    pub faulty: bool,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Arc<Node>>),
    /// A mapping, in the order of the text, every key once.
    Mapping(Vec<Entry>),
    /// A reference to another node of the document.
    Alias {
        /// The bytes of `&name`.
        anchor: Range<usize>,
        /// The node that was named; never an alias itself.
        target: Arc<Node>,
    },
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its bytes.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Arc<Node>,
}

/// Where a JSON pointer leads.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The node, or the deepest one on the way that exists.
    pub node: &'a Node,
    /// Whether the pointer leads all the way to `node`.
    pub exact: bool,
    /// The key that `node` is the value of.
    pub key: Option<&'a Entry>,
    /// The outermost alias on the way, and the anchor it names.
    pub alias: Option<(Range<usize>, Range<usize>)>,
}

impl Node {
    /// The node that an alias stands for; any other node is itself.
    pub fn resolved(&self) -> &Node {
        match &self.content {
            Content::Alias { target, .. } => target,
            _ => self,
        }
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.resolved().content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.resolved().content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, if it is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_ref())
    }

    /// The same as JSON, by the core schema. Keys come out sorted.
    pub fn to_value(&self) -> Value {
        match &self.resolved().content {
            Content::Scalar(scalar) => scalar.value(),
            Content::Sequence(items) => items.iter().map(|item| item.to_value()).collect(),
            Content::Mapping(entries) => {
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                sorted.sort_by(|a, b| a.key.cmp(&b.key));
                Value::Object(
                    sorted
                        .into_iter()
                        .map(|entry| (entry.key.clone(), entry.value.to_value()))
                        .collect::<Map<_, _>>(),
                )
            }
            // `resolved` never ends at an alias.
            Content::Alias { .. } => Value::Null,
        }
    }

    /// Follows a JSON pointer (RFC 6901) as far as it leads.
    pub fn find(&self, pointer: &str) -> Found<'_> {
        let mut found = Found { node: self, exact: true, key: None, alias: None };
        for token in pointer.split('/').skip(1) {
            let step = match &found.node.resolved().content {
                Content::Mapping(entries) => {
                    let key = token.replace("~1", "/").replace("~0", "~");
                    entries.iter().find(|entry| entry.key == key).map(|entry| (&entry.value, Some(entry)))
                }
                Content::Sequence(items) => {
                    token.parse::<usize>().ok().and_then(|index| items.get(index)).map(|item| (item, None))
                }
                Content::Scalar(_) | Content::Alias { .. } => None,
            };
            let Some((node, key)) = step else {
                found.exact = false;
                return found;
            };
            found.node = node;
            found.key = key;
            if let (None, Content::Alias { anchor, .. }) = (&found.alias, &node.content) {
                found.alias = Some((node.span.clone(), anchor.clone()));
            }
        }
        found
    }

    /// Whether something at or below this node was refused already.
    pub fn damaged(&self) -> bool {
        self.faulty
            || match &self.content {
                Content::Scalar(_) | Content::Alias { .. } => false,
                Content::Sequence(items) => items.iter().any(|item| item.damaged()),
                Content::Mapping(entries) => entries.iter().any(|entry| entry.value.damaged()),
            }
    }

    /// Every scalar below, with its pointer; aliases are not followed, since their targets are met on their own.
    pub fn scalars(&self, visit: &mut dyn FnMut(&str, &Node, &Scalar)) {
        let mut pointer = String::new();
        self.walk(&mut pointer, visit);
    }

    fn walk(&self, pointer: &mut String, visit: &mut dyn FnMut(&str, &Node, &Scalar)) {
        let length = pointer.len();
        match &self.content {
            Content::Scalar(scalar) => visit(pointer, self, scalar),
            Content::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    item.walk(pointer, visit);
                    pointer.truncate(length);
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    pointer.push('/');
                    pointer.push_str(&objects::token(&entry.key));
                    entry.value.walk(pointer, visit);
                    pointer.truncate(length);
                }
            }
            Content::Alias { .. } => {}
        }
    }
}

impl Found<'_> {
    /// The bytes to underline: a scalar itself; for a mapping or list the key it stands under or its first entry,
    /// since underlining a whole block says nothing.
    pub fn range(&self) -> Range<usize> {
        match (&self.node.content, self.key) {
            (Content::Scalar(scalar), Some(key)) if scalar.text.is_empty() => key.key_span.clone(),
            (Content::Scalar(_) | Content::Alias { .. }, _) => self.node.span.clone(),
            (_, Some(key)) => key.key_span.clone(),
            (_, None) => first_key(self.node),
        }
    }
}

/// The first key or item of a block.
pub(crate) fn first_key(node: &Node) -> Range<usize> {
    match &node.content {
        Content::Mapping(entries) => {
            entries.first().map_or_else(|| node.span.clone(), |entry| entry.key_span.clone())
        }
        Content::Sequence(items) => items.first().map_or_else(|| node.span.clone(), |item| first_key(item)),
        Content::Scalar(_) | Content::Alias { .. } => node.span.clone(),
    }
}
