//! Downloads of weights, from a server on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tachie::metrics::nets::weights::Kind;
use tachie::weights::fetch::{Fetched, fetch};
use tachie::weights::manifest::WeightsManifest;

/// How the server answers one request, given the first byte that is asked for.
type Answer = Box<dyn Fn(usize) -> Vec<u8> + Send>;

/// A server that gives these answers, one for each connection, and notes the ranges that it was asked for.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    fn new(answers: Vec<Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://127.0.0.1:{}/weights.bin", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = asked.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let range = requested(&stream);
                notes.lock().unwrap().push(range);
                stream.write_all(&answer(range.unwrap_or(0))).unwrap();
                stream.flush().unwrap();
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut [0; 16]);
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> Vec<Option<usize>> {
        self.asked.lock().unwrap().clone()
    }
}

/// The start of the range in a request's header.
fn requested(stream: &TcpStream) -> Option<usize> {
    let mut range = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(bytes) = line.strip_prefix("range: bytes=") {
            range = bytes.trim_end_matches('-').parse().ok();
        }
    }
    range
}

fn contents() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * i / 7) as u8).collect()
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}

/// Everything from `start` on, as a server that knows ranges answers; only `sent` bytes of it arrive.
fn rest(start: usize, sent: usize) -> Vec<u8> {
    let all = contents();
    let length = all.len() - start;
    let headers =
        format!("Content-Length: {length}\r\nContent-Range: bytes {start}-{}/{}\r\n", all.len() - 1, all.len());
    let status = if start == 0 { "200 OK" } else { "206 Partial Content" };
    response(status, &headers, &all[start..][..sent.min(length)])
}

fn whole() -> Answer {
    Box::new(|start| rest(start, usize::MAX))
}

fn sum() -> String {
    Sha256::digest(contents()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn manifest(url: &str, sha256: Option<String>) -> WeightsManifest {
    WeightsManifest {
        version: 1,
        name: "weights-test".into(),
        title: "numbers".into(),
        kind: "alexnet".into(),
        file: "weights.bin".into(),
        url: url.into(),
        sha256,
        bytes: None,
        licence: "CC0-1.0".into(),
        source: "this test".into(),
        note: None,
    }
}

fn get(server: &Server, folder: &Path) -> Result<Fetched, String> {
    fetch(&manifest(&server.url, Some(sum())), folder, |_, _| {}).map_err(|error| error.to_string())
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_arrives_and_is_not_fetched_twice() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole()]);
    let mut seen = Vec::new();
    let fetched = fetch(&manifest(&server.url, Some(sum()[..8].to_uppercase())), folder.path(), |have, total| {
        seen.push((have, total));
    });
    let fetched = fetched.unwrap();
    assert_eq!((fetched.bytes, fetched.was_there, &fetched.sha256), (300_000, false, &sum()));
    assert_eq!(seen.last(), Some(&(300_000, Some(300_000))));
    assert_eq!(fs::read(&fetched.path).unwrap(), contents());
    // The server has no second answer.
    assert!(get(&server, folder.path()).unwrap().was_there);
    assert_eq!(names(folder.path()), ["weights.bin"]);
    fs::write(&fetched.path, "something else").unwrap();
    assert!(get(&server, folder.path()).unwrap_err().contains("Remove it and fetch it again"));
}

#[test]
fn a_broken_transfer_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![
        Box::new(|start| rest(start, 100_000)),
        Box::new(|_| response("503 Service Unavailable", "Content-Length: 0\r\n", b"")),
        whole(),
    ]);
    get(&server, folder.path()).unwrap();
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0]), (3, None));
    assert!(asked[1].is_some_and(|start| start > 0 && start <= 100_000) && asked[2] == asked[1], "{asked:?}");
    assert_eq!(fs::read(folder.path().join("weights.bin")).unwrap(), contents());
}

#[test]
fn what_an_earlier_call_left_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("weights.bin.part");
    fs::write(&part, &contents()[..1234]).unwrap();
    let server = Server::new(vec![whole()]);
    get(&server, folder.path()).unwrap();
    assert_eq!(server.asked(), [Some(1234)]);

    // All of it was there but its name.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weights.bin.part"), contents()).unwrap();
    let nothing =
        || response("416 Range Not Satisfiable", "Content-Range: bytes */300000\r\nContent-Length: 0\r\n", b"");
    get(&Server::new(vec![Box::new(move |_| nothing())]), folder.path()).unwrap();
    assert_eq!(names(folder.path()), ["weights.bin"]);

    // A server that knows no ranges begins anew, and one that gives another part is not believed.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weights.bin.part"), &contents()[..1234]).unwrap();
    let server = Server::new(vec![Box::new(|_| rest(999, usize::MAX)), Box::new(|_| rest(0, usize::MAX))]);
    get(&server, folder.path()).unwrap();
    assert_eq!(server.asked(), [Some(1234), None]);
}

#[test]
fn a_file_of_another_sum_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole()]);
    let error = fetch(&manifest(&server.url, Some("00000000".into())), folder.path(), |_, _| {}).unwrap_err();
    assert!(error.to_string().contains(&sum()) && error.to_string().contains("00000000"), "{error}");
    assert!(names(folder.path()).is_empty());
    let server = Server::new(vec![whole()]);
    let longer = WeightsManifest { bytes: Some(300_001), ..manifest(&server.url, None) };
    assert!(fetch(&longer, folder.path(), |_, _| {}).unwrap_err().to_string().contains("300001 as weights-test"));
    // Without a sum everything agrees.
    let server = Server::new(vec![whole()]);
    assert_eq!(fetch(&manifest(&server.url, None), folder.path(), |_, _| {}).unwrap().sha256, sum());
}

#[test]
fn refusals_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![Box::new(|_| response("404 Not Found", "Content-Length: 0\r\n", b""))]);
    let error = get(&server, folder.path()).unwrap_err();
    assert!(error.contains("404") && error.contains(&server.url) && error.contains("tachie import torch"), "{error}");
    let leave = |_: usize| response("302 Found", "Location: file:///etc/passwd\r\nContent-Length: 0\r\n", b"");
    let server = Server::new(vec![Box::new(leave)]);
    assert!(get(&server, folder.path()).is_err());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn manifests_say_what_they_are_of() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-manifests");
    let mut kinds: Vec<&str> = Kind::ALL.map(Kind::name).into();
    for name in WeightsManifest::names() {
        let manifest = WeightsManifest::named(name).unwrap();
        assert_eq!(manifest, WeightsManifest::open(folder.join(format!("{name}.toml"))).unwrap());
        assert_eq!((manifest.name.as_str(), format!("weights-{}", manifest.kind)), (name, name.to_string()));
        // Where the name of the file carries the beginning of the sum, it is that of the manifest.
        if let (Some(sum), Some((_, digits))) =
            (&manifest.sha256, manifest.file.trim_end_matches(".pth").rsplit_once('-'))
            && digits.len() == 8
        {
            assert_eq!(sum, digits);
        }
        kinds.retain(|kind| *kind != manifest.kind);
    }
    assert!(kinds.is_empty(), "no manifest for {kinds:?}");
    let files = names(&folder).into_iter().filter(|name| name.starts_with("weights-")).count();
    assert_eq!(files, WeightsManifest::names().count());
    assert!(WeightsManifest::named("inception").unwrap_err().to_string().contains("weights-inception"));
}

#[test]
fn manifests_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    let good = toml::to_string(&manifest("https://example.org/x", Some(sum()))).unwrap();
    fs::write(&path, &good).unwrap();
    WeightsManifest::open(&path).unwrap();
    for (from, to, wanted) in [
        ("version = 1", "version = 2", "version = 1"),
        ("weights.bin", "../weights.bin", "without folders"),
        ("https://", "http://", "https://"),
        ("https://", "file://", "https://"),
        (&sum()[..], "12ab", "64 hexadecimal digits"),
        ("CC0-1.0", " ", "whose they are"),
        ("version = 1", "version = 1\nlicense = \"x\"", "license"),
    ] {
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let error = WeightsManifest::open(&path).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("x.toml"), "{error}, not {wanted}");
    }
}

#[test]
fn the_command_fetches_and_says_what_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole()]);
    let text = toml::to_string(&manifest(&server.url, Some(sum()))).unwrap();
    fs::write(folder.path().join("x.toml"), text).unwrap();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_tachie")).args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let output = run(&["fetch", "x.toml", "--to", "there"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in ["licence    CC0-1.0", &sum(), "as its publisher says", "tachie import torch --kind alexnet"] {
        assert!(text.contains(part), "{text}, not {part}");
    }
    assert_eq!(fs::read(folder.path().join("there/weights.bin")).unwrap(), contents());
    let output = run(&["fetch", "weights-nothing"]);
    assert!(!output.status.success() && String::from_utf8(output.stderr).unwrap().contains("weights-vgg16"));
}
