//! Serves a world on loopback, its clock following real time, so that kubectl can look at it:
//! `cargo run -p switchback-twin --example serve -- fixtures/worlds/karpenter-small.yaml /tmp/twin.kubeconfig`

use switchback_twin::{Clocking, Twin, World, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let world = World::open(arguments.next().ok_or("which world?")?.as_ref())?;
    let handle = serve(&Twin::new(world), "127.0.0.1:0".parse()?, Clocking::Auto { factor: 1.0 }).await?;
    std::fs::write(arguments.next().ok_or("where to put the kubeconfig?")?, handle.kubeconfig())?;
    handle.wait().await;
    Ok(())
}
