//! Codes of AWS's errors, by what they mean.

/// Asked too often.
pub(crate) const THROTTLED: [&str; 9] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "SlowDown",
];

/// The credentials are over: others may do.
pub(crate) const EXPIRED: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

/// Credentials that are not enough, or none at all.
pub(crate) const DENIED: [&str; 12] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
];

/// Somebody else is at it, or it is in a state that passes.
pub(crate) const CONFLICTS: [&str; 9] = [
    "ResourceInUseException",
    "ResourceInUse",
    "InvalidStateException",
    "InvalidDBInstanceState",
    "InvalidDBSnapshotState",
    "DBInstanceAlreadyExists",
    "DBSnapshotAlreadyExists",
    "ScalingActivityInProgress",
    "ResourceContention",
];

/// There is not enough of something, and more of it may come.
const CAPACITY: [&str; 15] = [
    "AsgInstanceLaunchFailures",
    "EniLimitReached",
    "InstanceLimitExceeded",
    "InstanceQuotaExceeded",
    "InsufficientDBInstanceCapacity",
    "InsufficientFreeAddresses",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientInstanceCapacity",
    "InsufficientStorageClusterCapacity",
    "IpNotAvailable",
    "LimitExceeded",
    "ResourceLimitExceededException",
    "SnapshotQuotaExceeded",
    "StorageQuotaExceeded",
    "VcpuLimitExceeded",
];

/// Whether a code says that there is not enough of something: an error of a call, of an update, or an issue of a node group.
pub(crate) fn is_capacity(code: &str) -> bool {
    CAPACITY.contains(&code)
}
