"""Koppel's stack on an emulator of AWS, on the loopback interface of one machine.

  emulator.py up       start the emulator, deploy the template, print endpoint and outputs as JSON
  emulator.py deploy   deploy again (new binaries or a changed template)
  emulator.py outputs  print endpoint and outputs again
  emulator.py env      print the variables that point a program at the emulator, one NAME=value a line
  emulator.py queues   make a pair of queues outside of the stack, for tests of the queue port
  emulator.py return   let messages come back after so many seconds when their function died, for tests of that
  emulator.py down     stop what `up` started

With `up --attached` everything ends when standard input ends: a test that dies takes its emulator with it.
Permissions are enforced: a function may do what its role in the template allows, and nothing else.
"""

import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = PROJECT / ".venv" / "emulator" / "bin" / "python"
REGION = "eu-west-1"
# The emulator's own administrator. These words open nothing anywhere else.
ADMIN = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
ARTIFACTS = "koppel-artifacts"
START_SECONDS = 60
DEPLOY_SECONDS = 120


class Trouble(Exception):
    """Something a person can act on; told without a traceback."""


# --- The emulator process ------------------------------------------------------------------------------------------


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(state, port, attached):
    """Starts the emulator and returns what is known about it."""
    if not PYTHON.exists():
        raise Trouble(f"{PYTHON} is missing: run make venv")
    state.mkdir(parents=True, exist_ok=True)
    if alive(load(state)):
        raise Trouble(f"an emulator already runs with its state in {state}: run {sys.argv[0]} down first")
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    scratch = tempfile.mkdtemp(prefix="koppel-emulator-")
    # Functions inherit the whole environment of the emulator, so it gets a clean one: no secret of a developer reaches
    # it, and nothing of the machine changes how the stack behaves.
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "S3_DATA_DIR": f"{scratch}/s3",
        "LOG_LEVEL": "WARNING",
        **ADMIN,
    }
    with open(state / "emulator.log", "wb") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "ministack"],
            env=environment,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that stopping it also stops the functions it started.
            start_new_session=True,
            preexec_fn=die_with_parent if attached else None,
        )
    known = {
        "endpoint": endpoint,
        "region": REGION,
        "environment": {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, **ADMIN},
        "pid": process.pid,
        "born": born(process.pid),
        "scratch": scratch,
        "log": str(state / "emulator.log"),
    }
    save(state, known)
    deadline = time.monotonic() + START_SECONDS
    while not healthy(endpoint):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(state)
            raise Trouble(f"the emulator did not start; its log is {state / 'emulator.log'}")
        time.sleep(0.05)
    return known


def die_with_parent():
    """Linux ends the emulator even when its parent is killed without a chance to clean up."""
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def healthy(endpoint):
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def born(pid):
    """When a process began, so that a reused process id is never taken for ours."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def alive(known):
    return bool(known) and known["born"] is not None and born(known["pid"]) == known["born"]


def stop(state):
    known = load(state)
    if alive(known):
        os.killpg(known["pid"], signal.SIGTERM)
        deadline = time.monotonic() + 10
        while alive(known) and time.monotonic() < deadline:
            reap(known["pid"])
            time.sleep(0.05)
        if alive(known):
            os.killpg(known["pid"], signal.SIGKILL)
            reap(known["pid"])
    if known:
        shutil.rmtree(known["scratch"], ignore_errors=True)
        (state / "emulator.json").unlink(missing_ok=True)


def reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # Not our child: somebody else's `up` started it.


def load(state):
    try:
        return json.loads((state / "emulator.json").read_text())
    except FileNotFoundError:
        return None


def save(state, known):
    (state / "emulator.json").write_text(json.dumps(known, indent=2) + "\n")


def running(state):
    known = load(state)
    if not alive(known):
        raise Trouble(f"no emulator runs with its state in {state}: run {sys.argv[0]} up first")
    return known


# --- Deploying -----------------------------------------------------------------------------------------------------


def client(known, service):
    import boto3

    return boto3.client(
        service,
        endpoint_url=known["endpoint"],
        region_name=REGION,
        aws_access_key_id=ADMIN["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ADMIN["AWS_SECRET_ACCESS_KEY"],
    )


def deploy(known, stack, template, bin_dir):
    """What `sam package` and `sam deploy` do, without their fifteen seconds."""
    s3 = client(known, "s3")
    try:
        s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    body = template.read_text(encoding="utf-8")
    stamp = time.time_ns()
    names = functions(body)
    for name in names:
        if not (bin_dir / name).exists():
            raise Trouble(f"{bin_dir / name} is missing: run make functions")
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as workers:
        archives = dict(zip(names, workers.map(lambda name: archive(bin_dir / name), names)))
    for name in names:
        key = f"{stamp}/{name}.zip"
        s3.put_object(Bucket=ARTIFACTS, Key=key, Body=archives[name])
        body = body.replace(f"CodeUri: functions/{name}/\n", f"CodeUri: s3://{ARTIFACTS}/{key}\n")
    formation = client(known, "cloudformation")
    arguments = {"StackName": stack, "TemplateBody": body, "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]}
    if exists(formation, stack):
        formation.update_stack(**arguments)
    else:
        formation.create_stack(**arguments)
    return outputs(known, stack, wait=True)


def functions(body):
    """Names of the functions, as the template points to their folders."""
    lines = (line.strip() for line in body.splitlines())
    return [line.removeprefix("CodeUri: functions/").rstrip("/") for line in lines if line.startswith("CodeUri: functions/")]


def archive(binary):
    # Debug symbols are four fifths of a debug binary, and nobody reads them on the emulator.
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "bootstrap"
        subprocess.run(["strip", "--strip-debug", "-o", str(stripped), str(binary)], check=True)
        content = stripped.read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as package:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        package.writestr(entry, content)
    archive.seek(0)
    return archive


def exists(formation, stack):
    from botocore.exceptions import ClientError

    try:
        formation.describe_stacks(StackName=stack)
        return True
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise


def outputs(known, stack, wait=False):
    formation = client(known, "cloudformation")
    deadline = time.monotonic() + DEPLOY_SECONDS
    while True:
        found = formation.describe_stacks(StackName=stack)["Stacks"][0]
        status = found["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        if not wait or not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            events = formation.describe_stack_events(StackName=stack)["StackEvents"]
            failed = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in events
                if event["ResourceStatus"].endswith("FAILED")
            ]
            raise Trouble(f"the stack {stack} is {status}: " + "; ".join(failed))
        time.sleep(0.1)


def queues(known, name, receives, visibility, bus):
    sqs = client(known, "sqs")
    fifo = {"FifoQueue": "true", "VisibilityTimeout": str(visibility), "ContentBasedDeduplication": "true"}
    dead = sqs.create_queue(QueueName=f"{name}-dead-letters.fifo", Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(receives)})
    queue = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={**fifo, "RedrivePolicy": redrive})["QueueUrl"]
    if bus:
        listen(known, sqs, name, queue, bus)
    return {"queue": queue, "dead_letters": dead}


def visibility(known, seconds):
    """The template says minutes, because a message must not come back while its function still works."""
    sqs = client(known, "sqs")
    for name, url in known["outputs"].items():
        if name.endswith("QueueUrl"):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})


def listen(known, sqs, name, queue, bus):
    """Everything on `bus` is also sent to `queue`."""
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events = client(known, "events")
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["koppel"]}))
    target = {"Id": "queue", "Arn": arn, "SqsParameters": {"MessageGroupId": "events"}}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])


# --- Commands ------------------------------------------------------------------------------------------------------


def up(options):
    begun = time.monotonic()
    known = start(options.state, options.port, options.attached)
    try:
        known["started_ms"] = round((time.monotonic() - begun) * 1000)
        known["stack"] = options.stack
        known["outputs"] = deploy(known, options.stack, options.template, options.bin_dir) if not options.empty else {}
        known["deployed_ms"] = round((time.monotonic() - begun) * 1000)
        save(options.state, known)
        print(json.dumps(known), flush=True)
        if options.attached:
            # The end of the input is the end of whoever started this.
            sys.stdin.buffer.read()
    except BaseException:
        stop(options.state)
        raise
    if options.attached:
        stop(options.state)


def again(options):
    known = running(options.state)
    known["outputs"] = deploy(known, options.stack, options.template, options.bin_dir)
    save(options.state, known)
    print(json.dumps(known))


def show(options):
    known = running(options.state)
    print(json.dumps({**known, "outputs": outputs(known, options.stack)}, indent=2))


def environment(options):
    known = running(options.state)
    print("\n".join(f"{name}={value}" for name, value in known["environment"].items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=pathlib.Path, default=PROJECT / ".aws-sam" / "emulator", help="folder for process id and log")
    stack = argparse.ArgumentParser(add_help=False)
    stack.add_argument("--stack", default="koppel", help="name of the stack")
    build = argparse.ArgumentParser(add_help=False)
    build.add_argument("--template", type=pathlib.Path, default=PROJECT / "template.yaml")
    build.add_argument("--bin-dir", type=pathlib.Path, default=PROJECT / "target" / "debug", help="folder with the functions")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("up", parents=[common, stack, build])
    command.add_argument("--port", type=int, default=0, help="0 for any free port")
    command.add_argument("--attached", action="store_true", help="end when standard input ends")
    command.add_argument("--empty", action="store_true", help="deploy nothing")
    command.set_defaults(run=up)
    commands.add_parser("deploy", parents=[common, stack, build]).set_defaults(run=again)
    commands.add_parser("outputs", parents=[common, stack]).set_defaults(run=show)
    commands.add_parser("env", parents=[common]).set_defaults(run=environment)
    command = commands.add_parser("queues", parents=[common])
    command.add_argument("name")
    command.add_argument("--receives", type=int, default=5)
    command.add_argument("--visibility", type=int, default=30)
    command.add_argument("--bus", help="send what comes over this bus to the queue")
    command.set_defaults(
        run=lambda o: print(json.dumps(queues(running(o.state), o.name, o.receives, o.visibility, o.bus)))
    )
    command = commands.add_parser("return", parents=[common])
    command.add_argument("seconds", type=int)
    command.set_defaults(run=lambda options: visibility(running(options.state), options.seconds))
    commands.add_parser("down", parents=[common]).set_defaults(run=lambda options: stop(options.state))
    options = parser.parse_args()
    # A polite end (Ctrl-C, kill) must clean up like any other.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        options.run(options)
    except Trouble as trouble:
        sys.exit(f"emulator: {trouble}")


if __name__ == "__main__":
    main()
