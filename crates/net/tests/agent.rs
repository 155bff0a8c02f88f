//! Logging in with a key that an ssh-agent holds: OpenSSH's, and ones that misbehave.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{dial, listen, next, say, within};
use e2eeftp_core::identity::{IdentityKey, KeyKind, PublicKey, Signature, Signer as _};
use e2eeftp_net::{Agent, Error, ServerLimits};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// The software security key of OpenSSH's own tests (Debian's package `openssh-tests`).
const SK_DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// A running `ssh-agent`; it ends with this value.
struct SshAgent {
    child: Child,
    dir: TempDir,
}

impl SshAgent {
    async fn start() -> Self {
        assert!(Path::new(SK_DUMMY).exists(), "no {SK_DUMMY}: run scripts/install-test-tools.sh");
        let dir = TempDir::new().unwrap();
        let child = Command::new("ssh-agent")
            .args(["-D", "-P", SK_DUMMY, "-a"])
            .arg(dir.path().join("socket"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test runs ssh-agent: install the package openssh-client");
        let agent = Self { child, dir };
        common::until("the agent listens", || agent.socket().exists()).await;
        agent
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn run(&self, program: &str, args: &[&str]) {
        let output = Command::new(program)
            .args(args)
            .current_dir(self.dir.path())
            .env("SSH_AUTH_SOCK", self.socket())
            .env("SSH_ASKPASS_REQUIRE", "never")
            .stdin(Stdio::null())
            .output()
            .expect("this test runs ssh-add and ssh-keygen: install the package openssh-client");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a key with `ssh-keygen` and gives it to the agent.
    fn add(&self, name: &str, key_type: &str) -> PublicKey {
        let is_touched = key_type.ends_with("-sk");
        let provider: &[&str] = if is_touched { &["-w", SK_DUMMY] } else { &[] };
        let make = ["-q", "-t", key_type, "-N", "", "-C", name, "-f", name];
        self.run("ssh-keygen", &[&make[..], provider].concat());
        let provider: &[&str] = if is_touched { &["-S", SK_DUMMY] } else { &[] };
        self.run("ssh-add", &[&["-q"][..], provider, &[name]].concat());
        let line = std::fs::read_to_string(self.dir.path().join(format!("{name}.pub"))).unwrap();
        PublicKey::from_text(&line).unwrap()
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_through_ssh_agent() {
    let running = SshAgent::start().await;
    let plain = running.add("plain", "ed25519");
    running.run("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "other"]);
    running.run("ssh-add", &["-q", "other"]);
    let touched = running.add("touched", "ed25519-sk");
    assert_eq!((plain.kind(), touched.kind()), (KeyKind::Ed25519, KeyKind::SecurityKey));

    let agent = Agent::new(running.socket());
    let keys = within(agent.keys()).await.unwrap();
    let found: Vec<_> = keys.iter().map(|key| (&key.key, &*key.comment)).collect();
    assert_eq!(found, [(&plain, "plain"), (&touched, "touched")]);

    let listener = listen(ServerLimits::default());
    for key in [plain, touched] {
        let connecting = dial(listener.address()).await.unwrap();
        let client = within(connecting.authenticate_by_agent(&agent, &key)).await.unwrap();
        let incoming = next(&listener).await;
        assert_eq!(incoming.client_key(), &key);
        say(&client, &incoming.accept(), b"through the agent").await;
    }
    // A key that it does not have.
    let stranger = common::identity();
    let refused = within(agent.sign(stranger.public_key(), b"message")).await.unwrap_err();
    assert_eq!((refused.code(), &*refused.to_string()), ("E2EEFTP_AGENT", "the ssh-agent refused"));
    drop(running);
    let gone = within(agent.keys()).await.unwrap_err();
    assert_eq!(gone.code(), "E2EEFTP_AGENT");
}

/// An agent that answers each connection with what `answer` makes of the request.
fn false_agent(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> (TempDir, Agent) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            // Who asked may be gone already.
            drop(stream.write_all(&answer(&request)).await);
        }
    });
    (dir, Agent::new(path))
}

async fn read_request(stream: &mut UnixStream) -> Vec<u8> {
    let mut request = vec![0; stream.read_u32().await.unwrap() as usize];
    stream.read_exact(&mut request).await.unwrap();
    request
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn signature_answer(signature: Signature) -> Vec<u8> {
    framed(&[&[14][..], &framed(&signature.to_ssh_blob())].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_signature_is_found_out_before_it_is_sent() {
    let key = common::identity();
    let other = common::identity();
    let public = key.public_key().clone();
    let listener = listen(ServerLimits::default());
    let login = async |agent: &Agent| {
        let connecting = dial(listener.address()).await.unwrap();
        within(connecting.authenticate_by_agent(agent, &public)).await
    };
    let sign = |key: IdentityKey| {
        move |request: &[u8]| {
            // type, key of 51 bytes, data, flags.
            let data = &request[1 + 4 + 51 + 4..request.len() - 4];
            signature_answer(key.sign(data).unwrap().into())
        }
    };
    let (_dir, honest) = false_agent(sign(key));
    login(&honest).await.unwrap();
    assert_eq!(next(&listener).await.client_key(), &public);
    let (_dir, false_key) = false_agent(sign(other));
    let (_dir, noise) = false_agent(|_| signature_answer(Signature::Ed25519([7; 64])));
    let (_dir, kind) = false_agent(|_| {
        signature_answer(Signature::SecurityKey { signature: [7; 64], flags: 1, counter: 1 })
    });
    let (_dir, failure) = false_agent(|_| framed(&[5]));
    let (_dir, long) = false_agent(|_| (256 * 1024 + 1u32).to_be_bytes().to_vec());
    let (_dir, short) = false_agent(|_| vec![0, 0, 0, 9, 14, 0]);
    let (_dir, silent) = false_agent(|_| Vec::new());
    for agent in [false_key, noise, kind, failure, long, short, silent] {
        let refused = login(&agent).await.unwrap_err();
        assert_eq!(refused.code(), "E2EEFTP_AGENT", "{refused}");
    }
    // Nothing reached the server but connections that ended.
    common::until("all have failed", || listener.stats().failed == 7).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_nothing_is_given_up() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let agent = Agent::new(path);
    let key = common::identity();
    let mut open = Vec::new();
    for _ in 0..2 {
        let (answer, stream) = if open.is_empty() {
            let (answer, accepted) = tokio::join!(agent.keys(), listener.accept());
            (answer.map(drop), accepted.unwrap().0)
        } else {
            let asking = agent.sign(key.public_key(), b"message");
            let (answer, accepted) = tokio::join!(asking, listener.accept());
            (answer.map(drop), accepted.unwrap().0)
        };
        let given_up = answer.unwrap_err();
        assert!(matches!(given_up, Error::Agent(_, None)), "{given_up}");
        open.push(stream);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_wait_is_noticed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let agent_listener = UnixListener::bind(&path).unwrap();
    let mut limits = ServerLimits::default();
    limits.proof_timeout = Duration::from_millis(200);
    let listener = listen(limits);
    let key = common::identity();
    let connecting = dial(listener.address()).await.unwrap();
    let agent = Agent::new(path);
    let refused = within(connecting.authenticate_by_agent(&agent, key.public_key())).await;
    assert_eq!(refused.unwrap_err().code(), "E2EEFTP_TIMEOUT");
    assert_eq!(listener.stats().failed, 1);
    drop(agent_listener);
}
