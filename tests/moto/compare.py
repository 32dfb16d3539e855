#!/usr/bin/env python3
"""A second opinion on the twin's AWS: the same boto3 calls against moto and against the twin.

    python3 tests/moto/compare.py [--twin COMMAND]

Compared are error codes, statuses, the names and types of fields, and the values that a step names. boto3 parses both by AWS's own
model, so a field that the twin spells wrongly is missing here. What moto lacks is asked of the twin alone, by the same model.
Exits with 0 where all agree, 1 where something differs; without moto or boto3 it says so and exits with 0. See README.md.
"""

import argparse
import base64
import json
import logging
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

try:
    import boto3
    import botocore.config
    import botocore.exceptions
    import botocore.signers
    from moto.server import ThreadedMotoServer
except ImportError as missing:
    print(f"moto or boto3 is not installed ({missing.name}): the answers of RDS, EC2, Auto Scaling and STS were NOT COMPARED")
    sys.exit(0)

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/apply"
WORLD = f"""
format: switchback.world/1.0
clock: 2026-11-20T10:00:00Z
settle: 0
include: [{ROOT}/fixtures/worlds/eks.yaml]
cloud:
  account: "{ACCOUNT}"
  region: {REGION}
  roles: {{"{ROLE}": {{}}}}
  subnets:
    subnet-0a: {{zone: eu-west-1a, free: 250, cidr: 10.0.0.0/24, vpc: vpc-0}}
    subnet-0b: {{zone: eu-west-1b, free: 250, cidr: 10.0.1.0/24, vpc: vpc-0}}
  eks:
    clusters:
      demo:
        version: "1.33"
        subnets: [subnet-0a, subnet-0b]
        nodegroups:
          workers: {{instanceTypes: [m6i.large], scaling: {{min: 1, desired: 2, max: 4}}}}
        addons:
          kube-proxy: {{version: v1.33.10-eksbuild.13}}
"""

# Where moto is known to say something else than AWS documents, and why the twin does not follow.
KNOWN = {
    ("DeleteDBSnapshot", "DBSnapshot.Status"): "moto answers available; the API reference says deleted",
    ("DescribeDBSnapshots", "DBSnapshots.PercentProgress"): "moto leaves it out",
    ("DescribeDBSnapshots", "DBSnapshots.TagList"): "moto leaves it out where there are none",
}


class Side:
    """One of the two."""

    def __init__(self, name, endpoint, credentials=("AKIDEXAMPLE", "secret", None)):
        self.name, self.endpoint, self.credentials = name, endpoint, credentials

    def client(self, service):
        key, secret, token = self.credentials
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def call(self, service, operation, params):
        """("ok", fields) or (code, status)."""
        client = self.client(service)
        method = {n: m for m, n in client.meta.method_to_api_mapping.items()}[operation]
        try:
            answer = getattr(client, method)(**params)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        answer.pop("ResponseMetadata", None)
        return "ok", answer


class Twin(Side):
    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.endpoint + path, data=data)) as answer:
            return json.load(answer)

    def hour(self):
        self.control("/_twin/clock", {"by": 3600})


def kind(value):
    return {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "map"}.get(type(value), type(value).__name__)


def leaves(value, path=""):
    """Path to type, of lists the first item."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if value:
            yield from leaves(value[0], path)
    else:
        yield path, kind(value)


def at(value, path):
    for part in path.split("."):
        while isinstance(value, list):
            value = value[0] if value else None
        value = value.get(part) if isinstance(value, dict) else None
    while isinstance(value, list):
        value = value[0] if value else None
    return value


class Comparison:
    def __init__(self, moto, twin):
        self.moto, self.twin, self.faults, self.done = moto, twin, [], 0

    def fault(self, operation, text):
        self.faults.append(f"{operation}: {text}")

    def same(self, service, operation, moto, twin=None, equal=(), note=""):
        """The same call on both; `twin` where names that each side gave out differ. Settles first."""
        self.twin.hour()
        a = self.moto.call(service, operation, moto)
        b = self.twin.call(service, operation, moto if twin is None else twin)
        self.done += 1
        title = f"{operation}{' (' + note + ')' if note else ''}"
        if "ok" not in (a[0], b[0]):
            if a != b:
                self.fault(title, f"moto refuses with {a}, the twin with {b}")
            return b
        if a[0] != b[0]:
            self.fault(title, f"moto: {a[0] if a[0] == 'ok' else a}, the twin: {b[0] if b[0] == 'ok' else b}")
            return b
        ours, theirs = dict(leaves(b[1])), dict(leaves(a[1]))
        for path, of in ours.items():
            if path in theirs and theirs[path] != of and (operation, path) not in KNOWN:
                self.fault(title, f"{path} is {of} here and {theirs[path]} in moto")
        for path in equal:
            if at(a[1], path) != at(b[1], path) and (operation, path) not in KNOWN:
                self.fault(title, f"{path} is {at(b[1], path)!r} here and {at(a[1], path)!r} in moto")
        return b

    def alone(self, service, operation, params, **wanted):
        """What moto lacks: the twin alone, read by AWS's model."""
        b = self.twin.call(service, operation, params)
        self.done += 1
        if b[0] != "ok":
            self.fault(operation, f"the twin refuses with {b}")
            return {}
        for path, value in wanted.items():
            path = path.replace("__", ".")
            found = at(b[1], path)
            if found is None or (value is not ... and found != value):
                self.fault(operation, f"{path} is {found!r}, wanted {value!r}")
        return b[1]

    def absent(self, service, operation, params):
        """That moto still lacks it, so that this file does not fall behind."""
        try:
            answer = self.moto.call(service, operation, params)
        except Exception:  # an answer that no model describes
            return
        if answer[0] == "ok":
            self.fault(operation, "moto has it now: compare it")


def rds(c):
    make = {"DBInstanceIdentifier": "db-1", "Engine": "postgres", "DBInstanceClass": "db.m6g.large", "AllocatedStorage": 20,
            "MasterUsername": "mlflow", "MasterUserPassword": "not-a-secret", "DBName": "mlflow"}
    basics = ["DBInstances.DBInstanceIdentifier", "DBInstances.DBInstanceStatus", "DBInstances.Engine", "DBInstances.DBInstanceClass",
              "DBInstances.DBName", "DBInstances.MasterUsername", "DBInstances.AllocatedStorage", "DBInstances.DeletionProtection",
              "DBInstances.MultiAZ", "DBInstances.DBInstanceArn", "DBInstances.Endpoint.Port"]
    c.same("rds", "CreateDBInstance", make, equal=["DBInstance.DBInstanceIdentifier", "DBInstance.Engine"])
    c.same("rds", "CreateDBInstance", make, note="again")
    c.same("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "db-1"}, equal=basics)
    c.same("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "nobody"}, note="missing")
    c.same("rds", "DescribeDBInstances", {}, equal=basics, note="all")
    snapshot = {"DBInstanceIdentifier": "db-1", "DBSnapshotIdentifier": "snap-1"}
    fields = ["DBSnapshotIdentifier", "DBInstanceIdentifier", "Engine", "AllocatedStorage", "MasterUsername", "SnapshotType", "DBSnapshotArn"]
    c.same("rds", "CreateDBSnapshot", snapshot, equal=[f"DBSnapshot.{f}" for f in fields])
    c.same("rds", "CreateDBSnapshot", snapshot, note="again")
    c.same("rds", "CreateDBSnapshot", {"DBInstanceIdentifier": "nobody", "DBSnapshotIdentifier": "snap-2"}, note="of nobody")
    c.same("rds", "DescribeDBSnapshots", {"DBSnapshotIdentifier": "snap-1"}, equal=[f"DBSnapshots.{f}" for f in fields] + ["DBSnapshots.Status"])
    c.same("rds", "DescribeDBSnapshots", {"DBInstanceIdentifier": "db-1", "SnapshotType": "manual"}, equal=["DBSnapshots.DBSnapshotIdentifier"], note="of an instance")
    c.same("rds", "DescribeDBSnapshots", {"DBSnapshotIdentifier": "nobody"}, note="missing")
    restore = {"DBInstanceIdentifier": "trial", "DBSnapshotIdentifier": "snap-1"}
    c.same("rds", "RestoreDBInstanceFromDBSnapshot", {**restore, "DBInstanceIdentifier": "db-1"}, note="over what is there")
    c.same("rds", "RestoreDBInstanceFromDBSnapshot", {**restore, "DBSnapshotIdentifier": "nobody"}, note="of nothing")
    c.same("rds", "RestoreDBInstanceFromDBSnapshot", restore, equal=["DBInstance.DBInstanceIdentifier", "DBInstance.Engine", "DBInstance.DBName"])
    c.same("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "trial"}, equal=basics[:6] + ["DBInstances.AllocatedStorage"], note="restored")
    rename = {"DBInstanceIdentifier": "db-1", "NewDBInstanceIdentifier": "aside", "ApplyImmediately": True}
    c.same("rds", "ModifyDBInstance", {**rename, "DBInstanceIdentifier": "nobody"}, note="of nobody")
    c.same("rds", "ModifyDBInstance", rename, note="rename")
    c.same("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "db-1"}, note="the old name")
    c.same("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "aside"}, equal=basics, note="the new name")
    c.same("rds", "ModifyDBInstance", {"DBInstanceIdentifier": "aside", "DeletionProtection": True, "ApplyImmediately": True}, note="protect")
    c.same("rds", "DeleteDBInstance", {"DBInstanceIdentifier": "aside", "SkipFinalSnapshot": True}, note="protected")
    c.same("rds", "DeleteDBInstance", {"DBInstanceIdentifier": "trial", "SkipFinalSnapshot": True}, equal=["DBInstance.DBInstanceIdentifier"])
    c.same("rds", "DeleteDBInstance", {"DBInstanceIdentifier": "trial", "SkipFinalSnapshot": True}, note="again")
    c.same("rds", "ModifyDBInstance", {"DBInstanceIdentifier": "aside", "DeletionProtection": False, "ApplyImmediately": True}, note="unprotect")
    last = {"DBInstanceIdentifier": "aside", "SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": "last-1"}
    c.same("rds", "DeleteDBInstance", last, equal=["DBInstance.DBInstanceIdentifier"], note="with a last snapshot")
    c.same("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "aside"}, note="deleted with a last snapshot")
    c.same("rds", "DescribeDBSnapshots", {"DBSnapshotIdentifier": "last-1"}, equal=["DBSnapshots.DBSnapshotIdentifier", "DBSnapshots.DBInstanceIdentifier", "DBSnapshots.Status"], note="the last one")
    c.same("rds", "DeleteDBSnapshot", {"DBSnapshotIdentifier": "snap-1"}, equal=["DBSnapshot.DBSnapshotIdentifier", "DBSnapshot.Status"])
    c.same("rds", "DeleteDBSnapshot", {"DBSnapshotIdentifier": "snap-1"}, note="again")


def ec2(c):
    fields = ["SubnetId", "State", "AvailableIpAddressCount"]
    ours = c.twin.call("ec2", "DescribeSubnets", {})[1]["Subnets"][0]["SubnetId"]
    theirs = c.moto.call("ec2", "DescribeSubnets", {})[1]["Subnets"][0]["SubnetId"]
    found = c.same("ec2", "DescribeSubnets", {"SubnetIds": [theirs]}, {"SubnetIds": [ours]}, equal=["Subnets.State"])[1]
    for field in fields:
        if at(found, f"Subnets.{field}") is None:
            c.fault("DescribeSubnets", f"without {field}")
    c.same("ec2", "DescribeSubnets", {"SubnetIds": ["subnet-00000000000000000"]}, note="missing")
    c.same("ec2", "DescribeInstances", {"InstanceIds": ["i-0fffffffffffffff0"]}, note="missing")
    image = c.moto.call("ec2", "DescribeImages", {})[1]["Images"][0]["ImageId"]
    c.moto.call("ec2", "RunInstances", {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "m6i.large", "SubnetId": theirs})
    running = {"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]}
    c.same("ec2", "DescribeInstances", running, equal=["Reservations.Instances.State.Name", "Reservations.Instances.InstanceType", "Reservations.OwnerId"])


def autoscaling(c):
    subnet = c.moto.call("ec2", "DescribeSubnets", {})[1]["Subnets"][0]["SubnetId"]
    image = c.moto.call("ec2", "DescribeImages", {})[1]["Images"][0]["ImageId"]
    name = "eks-workers-demo"
    c.moto.call("autoscaling", "CreateLaunchConfiguration", {"LaunchConfigurationName": "l", "ImageId": image, "InstanceType": "m6i.large"})
    c.moto.call("autoscaling", "CreateAutoScalingGroup", {
        "AutoScalingGroupName": name, "LaunchConfigurationName": "l", "MinSize": 1, "MaxSize": 4, "DesiredCapacity": 2, "VPCZoneIdentifier": subnet})
    fields = ["AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "HealthCheckType", "Instances.LifecycleState",
              "Instances.HealthStatus", "Instances.ProtectedFromScaleIn"]
    asked = {"AutoScalingGroupNames": [name]}

    def instance(side):
        return side.call("autoscaling", "DescribeAutoScalingGroups", asked)[1]["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]

    c.same("autoscaling", "DescribeAutoScalingGroups", asked, equal=[f"AutoScalingGroups.{f}" for f in fields])
    c.same("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": ["nobody"]}, note="missing")
    ends = {"ShouldDecrementDesiredCapacity": True}
    c.same("autoscaling", "TerminateInstanceInAutoScalingGroup", {"InstanceId": instance(c.moto), **ends}, {"InstanceId": instance(c.twin), **ends},
           equal=["Activity.AutoScalingGroupName"])
    c.same("autoscaling", "DescribeAutoScalingGroups", asked, equal=["AutoScalingGroups.DesiredCapacity"], note="one fewer")


def bearer(side, cluster):
    """A token of EKS, as `aws eks get-token` makes it."""
    key, secret, token = side.credentials
    session = boto3.Session(key, secret, token, region_name=REGION)
    signer = botocore.signers.RequestSigner(
        session.client("sts").meta.service_model.service_id, REGION, "sts", "v4", session.get_credentials(), session.events)
    asked = {"method": "GET", "url": f"https://sts.{REGION}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", "body": {},
             "headers": {"x-k8s-aws-id": cluster}, "context": {}}
    url = signer.generate_presigned_url(asked, region_name=REGION, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def nodes(endpoint, token):
    request = urllib.request.Request(f"{endpoint}/api/v1/nodes", headers={"authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def sts(c):
    c.same("sts", "GetCallerIdentity", {}, equal=["Account"])
    assumed = {"RoleArn": ROLE, "RoleSessionName": "run-1", "DurationSeconds": 900}
    user = "AssumedRoleUser.Arn"
    c.same("sts", "AssumeRole", assumed, equal=[user])
    sides = []
    for side, make in ((c.moto, Side), (c.twin, Twin)):
        keys = side.call("sts", "AssumeRole", assumed)[1]["Credentials"]
        sides.append(make(side.name, side.endpoint, (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])))
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/apply/run-1"
    for side in sides:
        code, answer = side.call("sts", "GetCallerIdentity", {})
        if code != "ok" or answer["Arn"] != arn:
            c.fault("GetCallerIdentity", f"{side.name} does not know the assumed role: {code} {answer}")
    # moto answers a presigned URL without looking who signed it.
    url = sides[1].client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url) as presigned:
        if f"<Arn>{arn}</Arn>" not in presigned.read().decode():
            c.fault("GetCallerIdentity", "the twin does not know the caller of a presigned URL")
    c.done += 5
    for cluster, wanted in (("demo", 200), ("another", 401)):
        status = nodes(c.twin.endpoint, bearer(sides[1], cluster))
        if status != wanted:
            c.fault("token", f"one for cluster {cluster} is answered with {status}, wanted {wanted}")
    c.done += 2
    # The twin knows this secret, so it checked what botocore signed, and refuses another one.
    code, _ = sides[1].call("eks", "DescribeUpdate", {"name": "demo", "updateId": "a b:c/d"})
    if code != "ResourceNotFoundException":
        c.fault("signature", f"a path with signs: {code}")
    key, _, token = sides[1].credentials
    code, _ = Twin("twin", c.twin.endpoint, (key, "another", token)).call("rds", "DescribeDBInstances", {})
    if code != "SignatureDoesNotMatch":
        c.fault("signature", f"a wrong secret: {code}")


def eks(c):
    c.same("eks", "DescribeCluster", {"name": "nobody"}, note="missing")
    theirs = c.moto.call("ec2", "DescribeSubnets", {})[1]["Subnets"]
    subnets = [s["SubnetId"] for s in theirs[:2]]
    c.moto.call("eks", "CreateCluster", {"name": "demo", "version": "1.33", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/eks",
                                         "resourcesVpcConfig": {"subnetIds": subnets}})
    c.moto.call("eks", "CreateNodegroup", {"clusterName": "demo", "nodegroupName": "workers", "subnets": subnets,
                                           "nodeRole": f"arn:aws:iam::{ACCOUNT}:role/node", "instanceTypes": ["m6i.large"],
                                           "scalingConfig": {"minSize": 1, "maxSize": 4, "desiredSize": 1}})
    c.same("eks", "ListClusters", {}, equal=["clusters"])
    c.same("eks", "DescribeCluster", {"name": "demo"}, equal=["cluster.name", "cluster.version", "cluster.status", "cluster.arn"])
    c.same("eks", "ListNodegroups", {"clusterName": "demo"}, equal=["nodegroups"])
    c.same("eks", "DescribeNodegroup", {"clusterName": "demo", "nodegroupName": "workers"},
           equal=["nodegroup.nodegroupName", "nodegroup.clusterName", "nodegroup.status", "nodegroup.capacityType", "nodegroup.instanceTypes"])
    c.same("eks", "DescribeNodegroup", {"clusterName": "demo", "nodegroupName": "nobody"}, note="missing")
    # What moto lacks.
    on = {"name": "demo"}
    c.absent("eks", "UpdateClusterVersion", {**on, "version": "1.34"})
    c.absent("eks", "DescribeClusterVersions", {})
    c.absent("eks", "ListAddons", {"clusterName": "demo"})
    c.absent("eks", "ListInsights", {"clusterName": "demo"})
    c.alone("eks", "DescribeClusterVersions", {"clusterVersions": ["1.34"]}, clusterVersions__versionStatus="STANDARD_SUPPORT",
            clusterVersions__endOfStandardSupportDate=...)
    c.alone("eks", "DescribeAddonVersions", {"kubernetesVersion": "1.34", "addonName": "vpc-cni"},
            addons__addonVersions__compatibilities__defaultVersion=True)
    c.alone("eks", "DescribeAddon", {"clusterName": "demo", "addonName": "kube-proxy"}, addon__addonVersion="v1.33.10-eksbuild.13", addon__status="ACTIVE")
    c.alone("eks", "ListInsights", {"clusterName": "demo"}, insights__insightStatus__status=..., insights__lastRefreshTime=...)
    c.alone("eks", "StartInsightsRefresh", {"clusterName": "demo"}, status="IN_PROGRESS")
    c.twin.hour()
    c.alone("eks", "DescribeInsightsRefresh", {"clusterName": "demo"}, status="COMPLETED")
    started = c.alone("eks", "UpdateClusterVersion", {**on, "version": "1.34", "clientRequestToken": "t"}, update__type="VersionUpdate", update__createdAt=...)
    c.twin.hour()
    c.alone("eks", "DescribeUpdate", {**on, "updateId": at(started, "update.id")}, update__status="Successful")
    moved = c.alone("eks", "UpdateNodegroupVersion", {"clusterName": "demo", "nodegroupName": "workers", "version": "1.34"}, update__params__type=...)
    c.twin.hour()
    c.alone("eks", "DescribeUpdate", {**on, "updateId": at(moved, "update.id"), "nodegroupName": "workers"}, update__status="Successful")


def serve(command, folder):
    (folder / "world.yaml").write_text(WORLD)
    kubeconfig = folder / "kubeconfig"
    twin = subprocess.Popen([*shlex.split(command), str(folder / "world.yaml"), str(kubeconfig)], cwd=ROOT)
    for _ in range(6000):
        if kubeconfig.exists() and "server: " in kubeconfig.read_text():
            break
        if twin.poll() is not None:
            sys.exit(f"the twin ended with {twin.returncode}")
        time.sleep(0.1)
    else:
        twin.kill()
        sys.exit("the twin did not come up")
    line = next(line for line in kubeconfig.read_text().splitlines() if "server: " in line)
    return twin, line.split("server: ")[1].strip()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--twin", default="cargo run --locked -q -p switchback-twin --example serve --", help="serves WORLD, writes KUBECONFIG")
    command = arguments.parse_args().twin
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    with tempfile.TemporaryDirectory() as folder:
        twin, endpoint = serve(command, Path(folder))
        try:
            host, port = moto.get_host_and_port()
            comparison = Comparison(Side("moto", f"http://{host}:{port}"), Twin("twin", endpoint))
            for service in (rds, ec2, autoscaling, sts, eks):
                service(comparison)
        finally:
            twin.terminate()
            twin.wait()
            moto.stop()
    for fault in comparison.faults:
        print(f"differs: {fault}")
    print(f"{comparison.done} calls compared with moto or read by AWS's model, {len(comparison.faults)} differ")
    sys.exit(1 if comparison.faults else 0)


if __name__ == "__main__":
    main()
