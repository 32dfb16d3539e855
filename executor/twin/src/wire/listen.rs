//! The twin on loopback. The one place that knows real time, for the clock that follows it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::in_flight::InFlight;
use super::{control, service};
use crate::error::TwinError;
use crate::twin::Twin;

/// What moves the clock of a served twin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clocking {
    /// Only calls of the clock endpoint.
    Manual,
    /// Real time, so many times as fast.
    Auto {
        /// Domain seconds for each real second.
        factor: f64,
    },
}

/// A served twin. Dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    /// Where it listens.
    pub addr: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Handle {
    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(self.addr)
    }

    /// Stops it.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            let _ = task.await;
        }
    }

    /// Waits until it stops, which it does by itself only when its socket fails.
    pub async fn wait(mut self) {
        if let Some(task) = self.tasks.first_mut() {
            let _ = task.await;
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn kubeconfig(addr: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: twin\n  cluster:\n    server: http://{addr}\nusers:\n- name: twin\n  user:\n    token: {token}\ncontexts:\n- name: twin\n  context:\n    cluster: twin\n    user: twin\ncurrent-context: twin\n",
        token = crate::kube::api::ADMIN_TOKEN
    )
}

/// Serves a twin over plain HTTP.
pub async fn serve(twin: &Twin, addr: SocketAddr, clocking: Clocking) -> Result<Handle, TwinError> {
    let listener = TcpListener::bind(addr).await.map_err(TwinError::Listen)?;
    let addr = listener.local_addr().map_err(TwinError::Listen)?;
    let mut tasks = vec![tokio::spawn(accept(listener, twin.clone()))];
    if let Clocking::Auto { factor } = clocking {
        tasks.push(tokio::spawn(follow(twin.clone(), factor)));
    }
    Ok(Handle { addr, tasks })
}

async fn accept(listener: TcpListener, twin: Twin) {
    let in_flight = InFlight::default();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { return };
        let (twin, in_flight) = (twin.clone(), in_flight.clone());
        connections.spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let (twin, in_flight) = (twin.clone(), in_flight.clone());
                async move {
                    if request.uri().path().starts_with("/_twin/") {
                        return control::respond(&twin, &in_flight, request).await;
                    }
                    let call = service::read(request).await?;
                    let guard = in_flight.enter();
                    let answer = service::respond(&twin, &call).await;
                    drop(guard);
                    answer
                }
            });
            // An error is a client that went away or an answer that was meant to be lost.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "this clock is meant to follow real time")]
async fn follow(twin: Twin, factor: f64) {
    let (began, origin) = (Instant::now(), twin.now());
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let passed = Duration::from_secs_f64(began.elapsed().as_secs_f64() * factor.max(0.0));
        let to = jiff::SignedDuration::try_from(passed).ok().and_then(|d| origin.checked_add(d).ok());
        if let Some(to) = to {
            twin.advance_to(to);
        }
    }
}
