//! candle numbers tensors from a `static`, so it must exist once in a notebook's process. Here are real cell libraries,
//! compiled and loaded as evcxr does it: two that link `notebooks/kernel` share candle and its gradients; two that link
//! the library statically, as evcxr does by default, are refused.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes two variables and leaves them to the next cell.
const MAKES: &str = r#"
use tachie::candle_core::{Device, Var};

#[unsafe(no_mangle)]
pub extern "C" fn run(kept: *mut *mut (Var, Var)) {
    let w = Var::new(&[1f32, 2., 3.], &Device::Cpu).unwrap();
    let v = Var::new(&[10f32, 20.], &Device::Cpu).unwrap();
    // SAFETY: the caller passes a valid place.
    unsafe { *kept = Box::into_raw(Box::new((w, v))) };
}
"#;

/// Differentiates sum((3v)^2) + sum(2w) for the variables of [`MAKES`]: the answer is 2 and 18 v.
const TRAINS: &str = r#"
use tachie::candle_core::Var;

#[unsafe(no_mangle)]
pub extern "C" fn run(kept: *mut *mut (Var, Var)) {
    // SAFETY: the cell before this one has left the variables there.
    let (w, v) = *unsafe { Box::from_raw(*kept) };
    let grads = || -> tachie::Result<(Vec<f32>, Vec<f32>)> {
        let y = (v.as_tensor() * 3.0)?;
        let loss = (y.sqr()?.sum_all()? + (w.as_tensor() * 2.0)?.sum_all()?)?;
        let grads = loss.backward()?;
        Ok((grads.get(&w).unwrap().to_vec1()?, grads.get(&v).unwrap().to_vec1()?))
    };
    println!("cell: {:?}", grads().unwrap());
}
"#;

/// Makes a parameter store, which is where the guard stands.
const GUARDED: &str = r#"
use tachie::candle_core::{DType, Device};

#[unsafe(no_mangle)]
pub extern "C" fn run(_: *mut *mut u8) {
    match tachie::nn::params::ParamStore::new(tachie::rng::seed(1), &Device::Cpu, DType::F32) {
        Ok(_) => println!("cell: accepted"),
        Err(error) => println!("cell: refused: {error}"),
    }
}
"#;

/// What a cell depends on.
const KERNEL: &str = "notebooks/kernel";
const STATIC: &str = "";

/// The cells: name, code, dependency.
const CELLS: [(&str, &str, &str); 6] = [
    ("cell_one", MAKES, KERNEL),
    ("cell_two", TRAINS, KERNEL),
    ("cell_three", GUARDED, KERNEL),
    ("cell_four", GUARDED, KERNEL),
    ("copy_one", GUARDED, STATIC),
    ("copy_two", GUARDED, STATIC),
];

/// Set for the child process that loads the libraries: their paths, separated by colons.
const LIBRARIES: &str = "TACHIE_TEST_LIBRARIES";

#[test]
fn gradients_cross_cells_and_a_second_copy_is_refused() {
    let Some(built) = build() else {
        println!("skipped: the notebook kernel is not compiled in this clone (`cargo xtask setup`)");
        return;
    };
    let run = |cells: [&str; 2]| load(&cells.map(|name| built.join(format!("lib{name}.so"))));

    assert_eq!(run(["cell_one", "cell_two"]), ["([2.0, 2.0, 2.0], [180.0, 360.0])"]);
    assert_eq!(run(["cell_three", "cell_four"]), ["accepted", "accepted"], "two cells over one copy");

    let copies = run(["copy_one", "copy_two"]);
    assert_eq!(copies[0], "accepted");
    assert!(copies[1].starts_with("refused: two copies of tachie are loaded"), "{copies:?}");
    assert!(copies[1].contains(r#":dep tachie = { path = "kernel" }"#), "says what to write: {copies:?}");
}

/// What the child process does; without its variable this passes at once.
#[test]
fn child() {
    let Ok(libraries) = std::env::var(LIBRARIES) else { return };
    let mut kept = std::ptr::null_mut();
    for library in libraries.split(':') {
        run_cell(library, &mut kept);
    }
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

/// Loads a cell's library and calls its function, as evcxr's runtime does; it is never unloaded.
fn run_cell(library: &str, kept: &mut *mut c_void) {
    const RTLD_NOW: c_int = 2;
    let path = CString::new(library).unwrap();
    // SAFETY: the libraries are those that `build` has compiled, each with a `run` of this signature.
    unsafe {
        let handle = dlopen(path.as_ptr(), RTLD_NOW);
        assert!(!handle.is_null(), "{:?}", CStr::from_ptr(dlerror()));
        let run = dlsym(handle, c"run".as_ptr());
        assert!(!run.is_null(), "{library} has no `run`");
        std::mem::transmute::<*mut c_void, extern "C" fn(*mut *mut c_void)>(run)(kept);
    }
}

/// Loads libraries into one fresh process, and returns the lines that their cells printed.
fn load(libraries: &[PathBuf]) -> Vec<String> {
    let paths: Vec<&str> = libraries.iter().map(|path| path.to_str().unwrap()).collect();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env(LIBRARIES, paths.join(":"));
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(|line| line.split_once("cell: ")).map(|(_, said)| said.to_string()).collect()
}

/// Compiles the cells as evcxr does; the folder of their libraries, or `None` where the dependencies are not compiled.
fn build() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (target, host) = (root.join("target/evcxr/target"), host());
    let compiled = std::fs::read_dir(target.join(&host).join("debug/deps")).ok()?;
    compiled.flatten().find(|file| file.file_name().to_string_lossy().starts_with("libcandle_core-"))?;

    let folder = root.join("target/cross-cell");
    for (name, source, dependency) in CELLS {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n\
             [dependencies]\ntachie = {{ path = {:?} }}\n",
            root.join(dependency)
        );
        write(&folder.join(name).join("Cargo.toml"), &manifest);
        write(&folder.join(name).join("src/lib.rs"), source);
    }
    let names = CELLS.map(|(name, ..)| name);
    write(&folder.join("Cargo.toml"), &format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n"));
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--offline", "--target", &host]).current_dir(&folder);
    cargo.env_remove("CARGO_BUILD_TARGET").env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", "-Cprefer-dynamic");
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(target.join(host).join("debug"))
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_string()
}

/// Leaves a file that is right untouched, so that cargo does not compile it again.
fn write(path: &Path, contents: &str) {
    if std::fs::read_to_string(path).is_ok_and(|there| there == contents) {
        return;
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, contents).unwrap();
}
