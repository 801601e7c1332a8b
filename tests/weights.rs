//! Published weights: the WebDNN importer, NumPy archives, and the published generator itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use flate2::{Compression, write::ZlibEncoder};
use tachie::models::make_girls::{GeneratorConfig, MakeGirls, Planes, Published, Upsampling};
use tachie::nn::norm::Mode;
use tachie::rng::{Seed, Stream};
use tachie::weights::{npz, safetensors};

/// Data that is not part of the project, when it lies beside it.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real/moe").join(name);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

/// A made-up generator in the published format: its three files and what its tensors hold.
struct Made {
    folder: tempfile::TempDir,
    /// Name, shape, layout; in the order of the file.
    tensors: Vec<(String, Vec<usize>, &'static str)>,
    numbers: Vec<Vec<f32>>,
    /// Byte offset of each block.
    blocks: Vec<usize>,
    bytes: Vec<u8>,
}

fn magnitude(code: u8) -> f32 {
    (f32::from(code) / 127.0).powi(3)
}

/// The tensors of the published layouts (specs A.3): 36 labels at 256 px, or 34 at 128 px.
fn layout(labels: usize) -> Vec<(String, Vec<usize>, &'static str)> {
    let mut tensors = vec![("dense.weight".to_string(), vec![16_384, 128 + labels], "[out][in] row-major")];
    let vectors = |layer: &str, names: &[&str], length: usize| -> Vec<(String, Vec<usize>, &'static str)> {
        names.iter().map(|name| (format!("{layer}.{name}"), vec![length], "")).collect()
    };
    tensors.extend(vectors("dense", &["bias", "bn.mean", "bn.var", "bn.gamma", "bn.beta"], 16_384));
    let (doublings, widened, last) = if labels == 34 { (3, 256, 9) } else { (4, 64, 3) };
    for conv in 0..33 + doublings {
        let outputs = if conv < 33 { 64 } else { widened };
        let name = format!("conv{conv}");
        tensors.push((format!("{name}.weight"), vec![3, 3, 64, outputs], "[kh][kw][ci][co] row-major"));
        tensors.extend(vectors(&name, &["bias"], outputs));
        tensors.extend(vectors(&name, &["bn.mean", "bn.var", "bn.gamma", "bn.beta"], 64));
    }
    let name = format!("conv{}", 33 + doublings);
    tensors.push((format!("{name}.weight"), vec![last, last, 64, 3], "[kh][kw][ci][co] row-major"));
    tensors.extend(vectors(&name, &["bias"], 3));
    tensors
}

impl Made {
    fn new(labels: usize) -> Made {
        let tensors = layout(labels);
        let mut made =
            Made { folder: tempfile::tempdir().unwrap(), tensors, numbers: vec![], blocks: vec![], bytes: vec![] };
        let mut stream = Seed(labels as u64).stream("made-up weights");
        let mut offset = 0;
        for (_, shape, _) in &made.tensors {
            let count: usize = shape.iter().product();
            let mut codes: Vec<u8> = (0..count).map(|_| stream.u64() as u8).collect();
            codes[count / 2] = 127;
            let scale = stream.range(0.01, 2.0) as f32;
            let sign = |code: u8| if code < 128 { scale } else { -scale };
            made.numbers.push(codes.iter().map(|&code| magnitude(code & 127) * sign(code)).collect());
            made.blocks.push(made.bytes.len());
            made.bytes.extend(block(offset as i32, scale, &codes));
            offset += count;
        }
        let table: String = (0..128).map(|code| format!("{}\n", magnitude(code))).collect();
        fs::write(made.path("table.csv"), table).unwrap();
        made.write_map(&made.tensors);
        made.write_weights(&made.bytes);
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_weights(&self, bytes: &[u8]) {
        fs::write(self.path("weights.bin"), bytes).unwrap();
    }

    fn write_map(&self, tensors: &[(String, Vec<usize>, &str)]) {
        let mut text = "name,float_offset,shape,layout\n".to_string();
        let mut offset = 0;
        for (name, shape, layout) in tensors {
            let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
            writeln!(text, "{name},{offset},{},{layout}", sides.join("x")).unwrap();
            offset += shape.iter().product::<usize>();
        }
        fs::write(self.path("map.csv"), text).unwrap();
    }

    fn open(&self) -> tachie::Result<Published> {
        Published::open(self.path("weights.bin"), self.path("map.csv"), self.path("table.csv"))
    }

    fn refusal(&self) -> String {
        self.open().unwrap_err().to_string()
    }

    fn stored(&self, name: &str) -> &[f32] {
        &self.numbers[self.tensors.iter().position(|(other, ..)| other == name).unwrap()]
    }
}

fn block(offset: i32, scale: f32, codes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(codes).unwrap();
    let packed = encoder.finish().unwrap();
    [&offset.to_le_bytes()[..], &(packed.len() as i32).to_le_bytes(), &scale.to_le_bytes(), &[0; 4], &packed].concat()
}

fn value(tensor: &Tensor, at: &[usize]) -> f32 {
    let at = at.iter().zip(tensor.stride()).map(|(i, stride)| i * stride).sum::<usize>();
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()[at]
}

#[test]
fn both_published_layouts_are_imported_and_open_as_models() {
    for (labels, numbers, tensors) in [(34, 4_422_659, 224), (36, 4_146_435, 230)] {
        let made = Made::new(labels);
        let published = made.open().unwrap();
        assert_eq!((published.blocks, published.numbers, published.tensors.len()), (tensors, numbers, tensors));
        assert_eq!((published.config.tags.len(), published.config.planes), (labels, Planes::Bgr));
        let GeneratorConfig::SrResNet(generator) = &published.config.generator else { panic!("another generator") };
        let wanted = if labels == 34 { (false, Upsampling::SubPixelDcr) } else { (true, Upsampling::Nearest) };
        assert_eq!((generator.global_skip, generator.upsampling), wanted);

        let tensor = |name: &str| &published.tensors[name];
        let inputs = 128 + labels;
        assert_eq!(value(tensor("g.dense.weight"), &[77, 5]), made.stored("dense.weight")[77 * inputs + 5]);
        // Stored [kh][kw][ci][co], ours [co, ci, kh, kw].
        let stored = made.stored("conv5.weight");
        assert_eq!(value(tensor("g.blocks.2.conv2.weight"), &[9, 8, 2, 1]), stored[((2 * 3 + 1) * 64 + 8) * 64 + 9]);
        assert_eq!(tensor("g.bn_mid.running_var").to_vec1::<f32>().unwrap(), made.stored("conv32.bn.var"));
        assert_eq!(tensor("g.up.1.bn.weight").to_vec1::<f32>().unwrap(), made.stored("conv34.bn.gamma"));
        assert_eq!(tensor("g.bn0.bias").to_vec1::<f32>().unwrap(), made.stored("dense.bn.beta"));

        let path = made.path("model.safetensors");
        published.save(&path).unwrap();
        assert!(safetensors::read(&path).unwrap().metadata[safetensors::ABOUT].contains("CC BY-NC 2.0"));
        let model = MakeGirls::open(&path, &Device::Cpu).unwrap();
        assert_eq!(model.config(), &published.config);
        let ours = &model.params().tensors()["g.conv_out.weight"];
        assert_eq!(ours.dims(), [3, 64, generator.output_kernel, generator.output_kernel]);
    }
}

#[test]
fn missing_surplus_and_wrong_tensors_are_listed_by_name() {
    let made = Made::new(36);
    let mut tensors = made.tensors.clone();
    let at = |name: &str| made.tensors.iter().position(|(other, ..)| other == name).unwrap();
    tensors[at("conv3.bn.beta")].0 = "conv3.bn.zeta".into();
    tensors[at("conv7.weight")].1 = vec![3, 3, 32, 128];
    made.write_map(&tensors);
    let message = made.refusal();
    let words = ["conv3.bn.beta is missing", "conv3.bn.zeta is surplus", "conv7.weight has shape", "map.csv"];
    assert!(words.iter().all(|word| message.contains(word)), "{message}");

    let map = |text: &str| {
        fs::write(made.path("map.csv"), text).unwrap();
        made.refusal()
    };
    let head = "name,float_offset,shape,layout\n";
    let dense = "dense.weight,0,16384x164,[out][in] row-major\n";
    for (rows, words) in [
        ("", "no tensor"),
        ("dense.weight,0,16384x99,[out][in]\n", "36 labels"),
        ("dense.weight,-1,16384x164,[out][in]\n", "line 2"),
        ("dense.weight,0,16384x0,[out][in]\n", "line 2"),
        ("dense.weight,0,99999999999x99999999999,[out][in]\n", "line 2"),
        ("dense.weight,0,16384x164,[in][out]\n", "[in][out]"),
        ("dense.weight\n", "line 2"),
    ] {
        let message = map(&format!("{head}{rows}"));
        assert!(message.contains(words), "{rows}: {message}");
    }
    assert!(map(&format!("{head}{dense}{dense}")).contains("a second time"));
    assert!(map(&format!("{head}{dense}")).contains("conv0.weight is missing"));

    let whole = {
        made.write_map(&made.tensors);
        fs::read_to_string(made.path("map.csv")).unwrap()
    };
    let last = whole.trim_end().rsplit('\n').next().unwrap();
    let moved = last.replace("4146432", "4146431");
    assert!(map(&whole.replace(last, &moved)).contains("inside conv37.weight"));
    let moved = last.replace("4146432", "4146433");
    assert!(map(&whole.replace(last, &moved)).contains("between conv37.weight and conv37.bias"));
}

#[test]
fn truncated_and_altered_files_are_refused_with_the_block_at_fault() {
    let made = Made::new(36);
    let seed = 11;
    println!("seed {seed}");
    let mut stream: Stream = Seed(seed).stream("altered weights");
    let which = |byte: usize| made.blocks.iter().rposition(|&start| start <= byte).unwrap();
    let check = |bytes: &[u8], number: usize| {
        made.write_weights(bytes);
        let message = made.refusal();
        let place = format!("block {number} at byte {}:", made.blocks[number]);
        assert!(message.contains("weights.bin") && message.contains(&place), "{place} {message}");
    };
    for _ in 0..8 {
        let length = 1 + stream.below(made.bytes.len() - 1);
        if !made.blocks.contains(&length) {
            check(&made.bytes[..length], which(length));
        }
    }
    for _ in 0..8 {
        let at = stream.below(made.bytes.len());
        // The scale is not protected in files of unknown origin.
        if !(8..12).contains(&(at - made.blocks[which(at)])) {
            let mut bytes = made.bytes.clone();
            bytes[at] ^= 1 << stream.below(8);
            check(&bytes, which(at));
        }
    }
    let third = made.blocks[3];
    for (field, replacement, words) in [
        (0, 5i32.to_le_bytes(), "offset 5"),
        (4, (-1i32).to_le_bytes(), "no compressed bytes"),
        (4, 0i32.to_le_bytes(), "no compressed bytes"),
        (4, i32::MAX.to_le_bytes(), "compressed bytes"),
        (8, f32::NAN.to_le_bytes(), "scale NaN"),
        (8, (-1f32).to_le_bytes(), "scale -1"),
        (12, 1i32.to_le_bytes(), "reserved"),
    ] {
        let mut bytes = made.bytes.clone();
        bytes[third + field..third + field + 4].copy_from_slice(&replacement);
        check(&bytes, 3);
        assert!(made.refusal().contains(words), "{words}: {}", made.refusal());
    }
    made.write_weights(b"");
    assert!(made.refusal().contains("empty file"));
    // A whole block less at the end: every block is sound, the file is too short for its map.
    made.write_weights(&made.bytes[..*made.blocks.last().unwrap()]);
    assert!(made.refusal().contains("conv37.bias, which ends at 4146435"));
}

/// A block that inflates to far more than any network must not fill the memory.
#[test]
fn a_bomb_and_a_wrong_table_are_refused() {
    let made = Made::new(36);
    let mut bytes = Vec::new();
    let zeros = vec![127u8; 80 << 20];
    for i in 0..4 {
        bytes.extend(block(i * (80 << 20), 1.0, &zeros));
    }
    made.write_weights(&bytes);
    let message = made.refusal();
    assert!(message.contains("block 3 at byte") && message.contains("at most 268435456"), "{message}");
    for table in ["", "0\n1\n", "x\n", &"0\n".repeat(128), &"0\ninf\n".repeat(64)] {
        fs::write(made.path("table.csv"), table).unwrap();
        assert!(made.refusal().contains("table.csv"), "{}", made.refusal());
    }
}

/// 4 inputs and outputs of the published network, computed with numpy (shared/real/README.md).
#[test]
fn the_published_generator_equals_its_golden_outputs() {
    let files = ["amaryllis_8bit.bin", "moe_amaryllis_map.csv", "webdnn_eightbit_table.csv", "parity.npz"].map(shared);
    let [Some(weights), Some(map), Some(table), Some(parity)] = files else { return };
    let published = Published::open(&weights, &map, &table).unwrap();
    assert_eq!((published.blocks, published.numbers, published.tensors.len()), (224, 4_422_659, 224));
    assert!(published.attribution.sha256.starts_with("a6e37e61a8d7d4e1"));
    let model = MakeGirls::from_tensors(published.config, &published.tensors, &Device::Cpu).unwrap();
    let networks = model.networks().unwrap();
    let golden = npz::read(&parity).unwrap();
    assert_eq!(golden.len(), 12);
    for i in 0..4 {
        let row = |name: &str| golden[&format!("{name}{i}")].unsqueeze(0).unwrap();
        let labels = row("l").affine(0.5, 0.5).unwrap();
        let y = networks.generator().forward(&row("z"), &labels, Mode::Eval).unwrap().flatten_from(1).unwrap();
        let worst = (y - row("y")).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        println!("parity {i}: largest difference {worst:e}");
        assert!(worst <= 1e-4, "output {i} differs by {worst}");
    }

    // The scale of a block has no protection but the checksums of the published file.
    let folder = tempfile::tempdir().unwrap();
    let altered = folder.path().join("altered.bin");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[9] ^= 1;
    fs::write(&altered, bytes).unwrap();
    let message = Published::open(&altered, &map, &table).unwrap_err().to_string();
    assert!(message.contains("block 0 at byte 0: checksum"), "{message}");
}

#[test]
fn arrays_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let tensor = Tensor::arange(0f64, 24.0, &Device::Cpu).unwrap().reshape((2, 3, 4)).unwrap();
    let scalar = Tensor::new(0.5f32, &Device::Cpu).unwrap();
    let arrays = BTreeMap::from([("y0".to_string(), tensor.clone()), ("s".to_string(), scalar)]);
    npz::write(&path, &arrays).unwrap();
    let read = npz::read(&path).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["s", "y0"]);
    assert_eq!((read["y0"].dims(), read["y0"].dtype()), (&[2, 3, 4][..], DType::F32));
    assert_eq!(value(&read["y0"], &[1, 2, 3]), 23.0);
    assert_eq!(read["s"].to_scalar::<f32>().unwrap(), 0.5);
}

/// numpy.npz was written by fixtures/weights/make_npz.py.
#[test]
fn arrays_of_numpy_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights");
    for name in ["stored.npz", "deflated.npz"] {
        let arrays = npz::read(path.join(name)).unwrap();
        let names = ["b1", "f4", "f8", "fortran", "i4", "i8", "scalar", "u1", "zero"];
        assert_eq!(arrays.keys().map(String::as_str).collect::<Vec<_>>(), names, "{name}");
        assert_eq!(arrays["f4"].to_vec2::<f32>().unwrap(), [[0.5, -1.25, 3e8], [1e-30, 2.0, 7.0]]);
        assert_eq!(arrays["f8"].to_vec1::<f32>().unwrap(), [1.0 / 3.0, -2e5]);
        assert_eq!(arrays["fortran"].to_vec2::<f32>().unwrap(), [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        assert_eq!(arrays["i8"].to_vec1::<f32>().unwrap(), [-3.0, 5.0]);
        assert_eq!(arrays["b1"].to_vec1::<f32>().unwrap(), [1.0, 0.0, 1.0]);
        assert_eq!(arrays["zero"].dims(), [0, 4]);
    }
    let message = npz::read(path.join("text.npz")).unwrap_err().to_string();
    assert!(message.contains("name.npy") && message.contains("<U3"), "{message}");
}

#[test]
fn hostile_archives_do_not_crash() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let seed = 3;
    println!("seed {seed}");
    let mut stream = Seed(seed).stream("altered archives");
    for name in ["stored.npz", "deflated.npz"] {
        let whole = fs::read(fixtures.join(name)).unwrap();
        for length in (0..whole.len() - 1).step_by(5) {
            fs::write(&path, &whole[..length]).unwrap();
            let message = npz::read(&path).unwrap_err().to_string();
            assert!(message.contains("x.npz"), "{message}");
        }
        for _ in 0..2000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + stream.below(4) {
                let at = stream.below(bytes.len());
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, stream.u64() as u8][stream.below(6)];
            }
            fs::write(&path, bytes).unwrap();
            if let Err(error) = npz::read(&path) {
                assert!(error.to_string().contains("x.npz"), "{error}");
            }
        }
    }
}
