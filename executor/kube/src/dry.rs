//! Trying writes: the API server runs every check of a write, admission included, and stores nothing.

use http::{Request, Uri};
use kube::client::Body;
use tower::service_fn;

/// The same client, with `dryRun=All` on every request that writes.
pub fn dry(client: kube::Client) -> kube::Client {
    let service = service_fn(move |mut request: Request<Body>| {
        let client = client.clone();
        async move {
            if request.method() != http::Method::GET
                && let Some(uri) = with_dry_run(request.uri())
            {
                *request.uri_mut() = uri;
            }
            client.send(request).await
        }
    });
    kube::Client::new(service, "default")
}

/// A path that cannot be put together again cannot have come from a request; it is then sent as nothing at all.
fn with_dry_run(uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    let join = if path.contains('?') { '&' } else { '?' };
    format!("{path}{join}dryRun=All").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_kept() {
        let after = |uri: &str| with_dry_run(&uri.parse().unwrap()).unwrap().to_string();
        assert_eq!(after("/api/v1/pods"), "/api/v1/pods?dryRun=All");
        assert_eq!(after("http://h/api/v1/pods?a=b"), "/api/v1/pods?a=b&dryRun=All");
    }
}
