//! Bodies of answers: whole, or a watch that goes on.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame};
use tokio::sync::watch;

use crate::kube::api::{WatchSpec, WatchState, watch_events};
use crate::twin::Twin;

/// The body of an answer.
#[derive(Debug)]
pub struct TwinBody(Kind);

#[derive(Debug)]
enum Kind {
    Whole(Full<Bytes>),
    Watch(Box<Watching>),
}

struct Watching {
    twin: Twin,
    spec: WatchSpec,
    state: WatchState,
    waiting: Option<Pin<Box<dyn Future<Output = watch::Receiver<u64>> + Send>>>,
    moved: Option<watch::Receiver<u64>>,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl TwinBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Full::new(bytes.into())))
    }

    pub(crate) fn watch(twin: Twin, spec: WatchSpec) -> Self {
        let moved = twin.movements();
        Self(Kind::Watch(Box::new(Watching {
            twin,
            spec,
            state: WatchState::default(),
            waiting: None,
            moved: Some(moved),
        })))
    }
}

impl Body for TwinBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Whole(full) => Pin::new(full).poll_frame(cx),
            Kind::Watch(watching) => watching.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(full) => full.is_end_stream(),
            Kind::Watch(_) => false,
        }
    }
}

impl Watching {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                match waiting.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(moved) => {
                        self.waiting = None;
                        self.moved = Some(moved);
                    }
                }
            }
            if self.state.ended {
                return Poll::Ready(None);
            }
            if let Some(moved) = &mut self.moved {
                moved.mark_unchanged();
            }
            let spec = &self.spec;
            let state = &mut self.state;
            let events = self.twin.peek(|world| watch_events(world, spec, state));
            if !events.is_empty() {
                let mut text = String::new();
                for event in events {
                    text.push_str(&event.to_string());
                    text.push('\n');
                }
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
            if self.state.ended {
                return Poll::Ready(None);
            }
            let Some(mut moved) = self.moved.take() else { return Poll::Ready(None) };
            self.waiting = Some(Box::pin(async move {
                // The sender lives as long as the twin handle in this body.
                let _ = moved.changed().await;
                moved
            }));
        }
    }
}
