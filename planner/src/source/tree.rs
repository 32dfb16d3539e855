//! Events to trees: one pass, with an explicit stack, so that no input can exhaust ours.

use std::{
    collections::{HashMap, hash_map},
    ops::Range,
    sync::Arc,
};

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, options};
use switchback_schemas::{Diagnostic, codes};

use super::{
    Content, Entry, MAX_ALIASED, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, Node, Scalar, Style, faults::Faults,
    syntax, text::Text,
};

/// The documents of a text, and whether one was lost to a fault.
pub(super) fn documents(text: &Text<'_>, faults: &mut Faults<'_>) -> (Vec<Arc<Node>>, bool) {
    let options = options! { emit_unresolved_aliases: true, emit_anchor_events: true, emit_comments: false };
    let mut parser = Parser::new_from_str_with_options(text.text, options);
    let mut documents = Vec::new();
    let mut lost = false;
    let mut count = 0_usize;
    while let Some(end) = document(&mut parser, text, faults) {
        count += 1;
        if count > MAX_DOCUMENTS {
            let message = format!("{} has more than {MAX_DOCUMENTS} documents", faults.file());
            faults.add(|_| {
                Diagnostic::error(codes::SOURCE_TOO_LARGE, message).help("split it into several files")
            });
            lost = true;
            break;
        }
        match end {
            End::Whole(root) => documents.extend(root),
            End::Broken => {
                lost = true;
                // What is left of the document is noise; the next one is not.
                if faults.full() || !parser.proceed_next_document().unwrap_or(false) {
                    break;
                }
            }
        }
    }
    if documents.is_empty() && !lost && faults.is_empty() {
        let help = "write a manifest into it or leave it out";
        let message = format!("{} holds no document", faults.file());
        faults.add(|_| Diagnostic::error(codes::SOURCE_EMPTY, message).help(help));
    }
    (documents, lost)
}

enum End {
    /// The root; nothing for an empty document.
    Whole(Option<Arc<Node>>),
    Broken,
}

fn document<'a>(
    parser: &mut Parser<'a, StrInput<'a>>,
    text: &Text<'_>,
    faults: &mut Faults<'_>,
) -> Option<End> {
    let mut builder = Builder::new(text.start);
    loop {
        let (event, span) = match parser.next_event()? {
            Ok(next) => next,
            Err(error) => {
                syntax::report(&error, text, faults);
                return Some(End::Broken);
            }
        };
        match event {
            Event::StreamEnd => return None,
            Event::DocumentEnd => return Some(End::Whole(builder.root)),
            Event::StreamStart | Event::DocumentStart(..) => {}
            event => {
                if builder.event(event, span, faults).is_err() {
                    return Some(End::Broken);
                }
            }
        }
    }
}

/// The document cannot be read on; said already.
struct Abandoned;

/// What an anchor names.
struct Anchor {
    span: Range<usize>,
    node: Arc<Node>,
    size: Size,
}

/// Nodes of a subtree with aliases expanded, and its levels.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    levels: usize,
}

impl Size {
    const LEAF: Self = Self { nodes: 1, levels: 1 };
}

struct Builder {
    start: usize,
    stack: Vec<Frame>,
    root: Option<Arc<Node>>,
    anchors: HashMap<usize, Anchor>,
    anchor_spans: HashMap<usize, Range<usize>>,
    nodes: usize,
    aliased: usize,
    budget_told: bool,
}

/// An open list or mapping.
struct Frame {
    start: usize,
    anchor: Option<usize>,
    faulty: bool,
    size: Size,
    inside: Inside,
}

enum Inside {
    Sequence(Vec<Arc<Node>>),
    Mapping { entries: Vec<Entry>, seen: HashMap<String, Range<usize>>, key: Key },
}

/// Where a mapping stands between a key and its value.
enum Key {
    Awaited,
    Text(String, Range<usize>),
    /// The key was refused: its value is read, for its faults, and dropped.
    Refused,
}

impl Builder {
    fn new(start: usize) -> Self {
        Self {
            start,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            anchor_spans: HashMap::new(),
            nodes: 0,
            aliased: 0,
            budget_told: false,
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or_default();
        self.start + range.start..self.start + range.end.max(range.start)
    }

    fn event(&mut self, event: Event<'_>, span: Span, faults: &mut Faults<'_>) -> Result<(), Abandoned> {
        let range = self.range(span);
        if event.is_node() {
            self.count(&range, faults)?;
        }
        let tagged = event.tag().is_some();
        if tagged {
            let tag = span.tag_span().map_or_else(|| range.clone(), |tag| self.range(tag));
            faults.error(
                codes::YAML_TAG,
                "a tag is used",
                tag,
                "this tag means nothing in a manifest",
                "remove the tag; quote the value to make it a text",
            );
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                // The parser writes `~` where nothing is written.
                let nothing = range.is_empty() && style == Style::Plain;
                let text = if nothing { String::new() } else { text.into_owned() };
                let scalar = Scalar { text, style };
                let node = Node { span: range, content: Content::Scalar(scalar), faulty: tagged };
                let node = self.name(node, Size::LEAF, (anchor != 0).then_some(anchor));
                match self.awaits_key() {
                    true => self.key(&node, faults),
                    false => self.place(node, Size::LEAF),
                }
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(range, anchor, tagged, Inside::Sequence(Vec::new()), faults)?;
            }
            Event::MappingStart(_, anchor, _) => {
                let inside = Inside::Mapping { entries: Vec::new(), seen: HashMap::new(), key: Key::Awaited };
                self.open(range, anchor, tagged, inside, faults)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range.end),
            Event::Anchor(id, _) => {
                // A scalar is complete when its anchor is told, a collection is not.
                if let Some(anchor) = self.anchors.get_mut(&id) {
                    anchor.span.clone_from(&range);
                }
                self.anchor_spans.insert(id, range);
            }
            Event::Alias(id) => self.alias(id, range, faults),
            Event::UnresolvedAlias(name) => {
                let message = format!("no anchor &{name} precedes this alias");
                let help =
                    format!("write &{name} before its value in the same document, or write the value out");
                faults.error(codes::YAML_SYNTAX, message, range.clone(), "this names nothing", help);
                self.refuse(range);
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, range: &Range<usize>, faults: &mut Faults<'_>) -> Result<(), Abandoned> {
        self.nodes += 1;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the document has more than {MAX_NODES} nodes");
        let help = "split it; a manifest is a few pages";
        faults.error(codes::SOURCE_TOO_LARGE, message, range.clone(), "the first node too many", help);
        Err(Abandoned)
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { inside: Inside::Mapping { key: Key::Awaited, .. }, .. }))
    }

    fn open(
        &mut self,
        range: Range<usize>,
        anchor: usize,
        tagged: bool,
        inside: Inside,
        faults: &mut Faults<'_>,
    ) -> Result<(), Abandoned> {
        if self.stack.len() >= MAX_DEPTH {
            syntax::too_deep(range, faults);
            return Err(Abandoned);
        }
        if self.awaits_key() {
            key_not_text(range.clone(), "a list or mapping", faults);
        }
        let anchor = (anchor != 0).then_some(anchor);
        self.stack.push(Frame { start: range.start, anchor, faulty: tagged, size: Size::LEAF, inside });
        Ok(())
    }

    fn end(&mut self, end: usize) {
        let Some(frame) = self.stack.pop() else { return };
        let (content, last) = match frame.inside {
            Inside::Sequence(items) => {
                let last = items.last().map(|item| item.span.end);
                (Content::Sequence(items), last)
            }
            Inside::Mapping { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key_span.end));
                (Content::Mapping(entries), last)
            }
        };
        // The end of a block is found at the next token; its text ends with its last entry.
        let end = last.unwrap_or(end).max(frame.start);
        let node = Node { span: frame.start..end, content, faulty: frame.faulty };
        let node = self.name(node, frame.size, frame.anchor);
        self.place(node, frame.size);
    }

    /// A node is complete: from here on aliases may name it.
    fn name(&mut self, node: Node, size: Size, anchor: Option<usize>) -> Arc<Node> {
        let node = Arc::new(node);
        if let Some(id) = anchor {
            let span = self.anchor_spans.get(&id).cloned().unwrap_or_else(|| node.span.clone());
            self.anchors.insert(id, Anchor { span, node: Arc::clone(&node), size });
        }
        node
    }

    fn key(&mut self, node: &Node, faults: &mut Faults<'_>) {
        let Some(frame) = self.stack.last_mut() else { return };
        let Inside::Mapping { key, seen, .. } = &mut frame.inside else { return };
        let (Content::Scalar(scalar), range) = (&node.content, node.span.clone()) else { return };
        *key = Key::Refused;
        if scalar.style == Style::Plain && scalar.text == "<<" {
            // What it would have merged is not there, so what seems to be missing may not be.
            frame.faulty = true;
            faults.error(
                codes::YAML_MERGE_KEY,
                "a merge key is used",
                range,
                "this merges another mapping",
                "write the fields out",
            );
            return;
        }
        if !scalar.value().is_string() {
            let quoted = format!("quote it if it is a name: '{}'", scalar.text);
            let help = if scalar.text.is_empty() { "write a field name before the ':'" } else { &quoted };
            let (message, label) = ("a key is not a text", "YAML does not read this as a text");
            faults.error(codes::YAML_KEY_NOT_TEXT, message, range, label, help);
            return;
        }
        match seen.entry(scalar.text.clone()) {
            hash_map::Entry::Occupied(first) => {
                let first = first.get().clone();
                faults.add(|faults| {
                    Diagnostic::error(
                        codes::YAML_DUPLICATE_KEY,
                        format!("`{}` is written twice", scalar.text),
                    )
                    .at(faults.label(range, "written again here"))
                    .at(faults.label(first, "first written here"))
                    .help("remove one of them; readers of YAML disagree on which one wins")
                });
            }
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(range.clone());
                *key = Key::Text(scalar.text.clone(), range);
            }
        }
    }

    fn alias(&mut self, id: usize, range: Range<usize>, faults: &mut Faults<'_>) {
        if self.awaits_key() {
            key_not_text(range.clone(), "an alias", faults);
            return self.refuse(range);
        }
        let Some(anchor) = self.anchors.get(&id) else {
            let help = "write the value out";
            let message = "the alias stands inside of what it names";
            faults.error(codes::YAML_ALIAS_BUDGET, message, range.clone(), "this never ends", help);
            return self.refuse(range);
        };
        if self.stack.len().saturating_add(anchor.size.levels) > MAX_DEPTH {
            syntax::too_deep(range.clone(), faults);
            return self.refuse(range);
        }
        self.aliased = self.aliased.saturating_add(anchor.size.nodes);
        if self.aliased > MAX_ALIASED {
            // One budget, one fault: the aliases after it are not each to blame.
            if !std::mem::replace(&mut self.budget_told, true) {
                let anchor = anchor.span.clone();
                faults.add(|faults| {
                    let message = format!("aliases of the document expand to more than {MAX_ALIASED} nodes");
                    Diagnostic::error(codes::YAML_ALIAS_BUDGET, message)
                        .at(faults.label(range.clone(), "the budget ends here"))
                        .at(faults.label(anchor, "this is expanded"))
                        .help("write out what is meant, without aliases of aliases")
                });
            }
            return self.refuse(range);
        }
        let content = Content::Alias { anchor: anchor.span.clone(), target: Arc::clone(&anchor.node) };
        let size = anchor.size;
        self.place(Arc::new(Node { span: range, content, faulty: false }), size);
    }

    /// Something was refused where a node belongs; the place is kept, so that its neighbours keep theirs.
    fn refuse(&mut self, range: Range<usize>) {
        let content = Content::Scalar(Scalar { text: "null".to_owned(), style: Style::Plain });
        self.place(Arc::new(Node { span: range, content, faulty: true }), Size::LEAF);
    }

    fn place(&mut self, node: Arc<Node>, size: Size) {
        let Some(frame) = self.stack.last_mut() else {
            // A document that holds nothing is none.
            let nothing = matches!(&node.content,
                Content::Scalar(scalar) if scalar.text.is_empty() && scalar.style == Style::Plain);
            self.root = (!nothing).then_some(node);
            return;
        };
        frame.size.nodes = frame.size.nodes.saturating_add(size.nodes);
        frame.size.levels = frame.size.levels.max(size.levels.saturating_add(1));
        match &mut frame.inside {
            Inside::Sequence(items) => items.push(node),
            Inside::Mapping { entries, key, .. } => match std::mem::replace(key, Key::Awaited) {
                Key::Text(name, key_span) => entries.push(Entry { key: name, key_span, value: node }),
                Key::Refused => {}
                // A collection as a key: refused when it was opened.
                Key::Awaited => *key = Key::Refused,
            },
        }
    }
}

fn key_not_text(range: Range<usize>, what: &str, faults: &mut Faults<'_>) {
    let message = format!("{what} is used as a key");
    faults.error(
        codes::YAML_KEY_NOT_TEXT,
        message,
        range,
        "keys are field names",
        "write a plain text as the key; render a template before it is read",
    );
}
