//! What a row is.

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// `file::name`.
    pub(crate) name: &'static str,
    /// What holds.
    pub(crate) what: &'static str,
    /// Who leans on it.
    pub(crate) leans: &'static str,
}

/// Makes, for each body, a test on the twin and one on a real server, and the rows of the table. Rows of a controller name the function
/// that starts a control plane of the row's own, beside which the controller's own program works.
macro_rules! rows {
    (on $real:path; $($name:ident: $what:literal, $leans:literal;)+) => {
        $crate::row::rows! {
            @ "starts a control plane: `tests/cluster/controllers`", $real;
            $($name: $what, $leans;)+
        }
    };
    (@ $ignored:literal, $real:path; $($name:ident: $what:literal, $leans:literal;)+) => {
        pub(crate) const ROWS: &[$crate::row::Row] = &[$(
            $crate::row::Row { name: concat!(module_path!(), "::", stringify!($name)), what: $what, leans: $leans }
        ),+];

        mod twin {
            $(#[tokio::test]
            async fn $name() {
                $crate::readme::started(concat!(module_path!(), "::", stringify!($name)));
                let server = $crate::server::Server::twin(stringify!($name)).await;
                super::$name(&server).await;
                server.done(concat!(module_path!(), "::", stringify!($name))).await;
            })+
        }

        mod real {
            $(#[tokio::test]
            #[ignore = $ignored]
            async fn $name() {
                let server = $real(stringify!($name)).await;
                $crate::readme::started(concat!(module_path!(), "::", stringify!($name)));
                super::$name(&server).await;
                server.done(concat!(module_path!(), "::", stringify!($name))).await;
            })+
        }
    };
    ($($name:ident: $what:literal, $leans:literal;)+) => {
        $crate::row::rows! {
            @ "needs a real API server: `cluster test -- tests/cluster/suite`", $crate::server::Server::real;
            $($name: $what, $leans;)+
        }
    };
}
pub(crate) use rows;
