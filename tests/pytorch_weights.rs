//! Files of `torch.save` and of Caffe: what they hold, and that damaged and hostile ones are refused
//! (fixtures/pytorch/make.py).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use tachie::weights::{caffe, pytorch};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The numbers that make.py counts with.
fn count(n: usize) -> Vec<f64> {
    (0..n).map(|i| i as f64 / 8.0 - 1.0).collect()
}

fn refusal(name: &str) -> String {
    pytorch::read(fixture(name)).unwrap_err().to_string()
}

/// Reads these bytes as a file.
fn read_bytes(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.pth");
    fs::write(&path, bytes).unwrap();
    pytorch::read(&path).map_err(|error| error.to_string())
}

fn check(tensors: &BTreeMap<String, Tensor>) {
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    let of_more = ["bf16", "empty", "f16", "f32", "f64", "i64", "parameter", "part", "scalar", "turned", "whole"];
    let of_state = ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"];
    let mut wanted: Vec<String> = of_more.iter().map(|name| format!("more.0.{name}")).collect();
    wanted.push("more.1.0".into());
    wanted.extend(of_state.iter().map(|name| format!("state_dict.bn.{name}")));
    wanted.extend(["state_dict.conv.bias".into(), "state_dict.conv.weight".into()]);
    assert_eq!(names, wanted);
    let expect = |name: &str, dtype: DType, shape: &[usize], values: &[f64]| {
        let tensor = &tensors[name];
        assert_eq!((tensor.dtype(), tensor.dims()), (dtype, shape), "{name}");
        assert_eq!(numbers(tensor), values, "{name}");
    };
    expect("state_dict.conv.weight", DType::F32, &[3, 2, 1, 2], &count(12));
    expect("state_dict.bn.num_batches_tracked", DType::I64, &[], &[-1.0]);
    expect("more.0.f32", DType::F32, &[2, 3], &count(6));
    expect("more.0.f64", DType::F64, &[2], &count(2));
    expect("more.0.f16", DType::F32, &[3], &count(3));
    expect("more.0.bf16", DType::F32, &[3], &count(3));
    expect("more.0.i64", DType::I64, &[1, 2], &[-3.0, (1u64 << 40) as f64]);
    expect("more.0.scalar", DType::F32, &[], &[4.5]);
    expect("more.0.empty", DType::F32, &[0, 4], &[]);
    expect("more.0.whole", DType::F32, &[4, 5], &count(20));
    expect("more.0.parameter", DType::F32, &[2], &count(2));
    let all = count(20);
    expect("more.0.part", DType::F32, &[2, 3], &[all[7], all[8], all[9], all[17], all[18], all[19]]);
    let turned: Vec<f64> = (0..4)
        .flat_map(|k| (0..2).flat_map(move |i| (0..3).map(move |j| (i * 12 + j * 4 + k) as f64 / 8.0 - 1.0)))
        .collect();
    expect("more.0.turned", DType::F32, &[4, 2, 3], &turned);
}

#[test]
fn archives_and_legacy_files_are_read() {
    check(&pytorch::read(fixture("zip.pth")).unwrap());
    check(&pytorch::read(fixture("legacy.pth")).unwrap());
    assert_eq!(numbers(&pytorch::read(fixture("single.pth")).unwrap()["tensor"]), count(2));
}

#[test]
fn files_of_python_2_are_read() {
    let tensors = pytorch::read(fixture("python2.pth")).unwrap();
    assert_eq!(tensors.len(), 1);
    assert_eq!(numbers(&tensors["a.weight"]), [1.5, -2.0]);
}

#[test]
fn nothing_is_executed() {
    for name in ["evil.pth", "evil-legacy.pth"] {
        let message = refusal(name);
        assert!(message.contains("print, which is not run") && message.contains("state_dict"), "{message}");
    }
    let message = refusal("script.pt");
    assert!(message.contains("TorchScript") && message.contains("torch.jit.load"), "{message}");
    assert!(refusal("make.py").contains("a file of torch.save"));
    assert!(refusal("absent.pth").contains("absent.pth"));
    assert!(pytorch::read(fixture("")).is_err());
}

#[test]
fn cut_files_are_refused_at_every_length() {
    for name in ["zip.pth", "legacy.pth", "python2.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for length in 0..bytes.len() {
            let message = read_bytes(&bytes[..length]).expect_err("a cut file");
            assert!(message.contains("made.pth"), "{name} of {length} bytes: {message}");
        }
        assert!(read_bytes(&[&bytes[..], b"x"].concat()).is_err() || name == "zip.pth");
    }
}

#[test]
fn altered_files_do_no_harm() {
    for name in ["zip.pth", "legacy.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for at in 0..bytes.len() {
            for bit in [0x01, 0x10, 0x80] {
                let mut altered = bytes.clone();
                altered[at] ^= bit;
                // It may still be a file of weights; what matters is that reading ends, with an answer.
                if let Err(message) = read_bytes(&altered) {
                    assert!(message.contains("made.pth"), "{message}");
                }
            }
        }
    }
}

/// A legacy file around the pickle of its weights, with `stored` behind it.
fn legacy(weights: &[u8], stored: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    bytes.extend(b"\x80\x02}U\x0dlittle_endian\x88s.\x80\x02");
    bytes.extend(weights);
    bytes.extend(stored);
    bytes
}

/// `{'w': tensor}` of two numbers in storage 0, with this offset, shape and strides in pickle.
fn one_tensor(count: &[u8], geometry: &[u8]) -> Vec<u8> {
    let storage = [b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu", count, b"tQ"].concat();
    [b"}U\x01wctorch._utils\n_rebuild_tensor\n(", &storage[..], geometry, b"tRs."].concat()
}

const KEYS: &[u8] = b"\x80\x02]U\x010a.\x02\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40";

#[test]
fn tensors_must_lie_in_their_storage() {
    let read = |count: &[u8], geometry: &[u8]| read_bytes(&legacy(&one_tensor(count, geometry), KEYS));
    assert_eq!(numbers(&read(b"K\x02", b"K\x00K\x02\x85K\x01\x85").unwrap()["w"]), [1.0, 2.0]);
    assert_eq!(numbers(&read(b"K\x02", b"K\x01K\x01\x85K\x05\x85").unwrap()["w"]), [2.0]);
    let cases: [(&[u8], &[u8], &str); 8] = [
        (b"K\x02", b"K\x01K\x02\x85K\x01\x85", "offset 1 in 2 numbers"),
        (b"K\x02", b"K\x00K\x02\x85K\x02\x85", "strides [2]"),
        // A billion numbers out of one by a stride of 0.
        (b"K\x02", b"K\x00J\x00\xca\x9a\x3b\x85K\x00\x85", "shape [1000000000]"),
        (
            b"K\x02",
            b"K\x00\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x86K\x00K\x00\x86",
            "shape",
        ),
        (b"K\x02", b"K\x00J\xff\xff\xff\xff\x85K\x01\x85", "no sizes"),
        (b"K\x02", b"K\x00K\x02\x85)", "strides []"),
        (
            b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"K\x00K\x02\x85K\x01\x85",
            "expected 9223372036854775807 numbers",
        ),
        (b"K\x03", b"K\x00K\x02\x85K\x01\x85", "expected 3 numbers"),
    ];
    for (count, geometry, wanted) in cases {
        let message = read(count, geometry).unwrap_err();
        assert!(message.contains(wanted), "{message}, not {wanted}");
    }
}

#[test]
fn pickles_that_would_fill_the_memory_are_refused() {
    let read = |weights: &[u8]| read_bytes(&legacy(weights, KEYS)).unwrap_err();
    // Lists of ten of the list before: 10²⁰ entries.
    let mut laughs = b"]q\x00".to_vec();
    for depth in 1..=20u8 {
        laughs.extend([&b"]("[..], &[b'h', depth - 1].repeat(10), b"eq", &[depth]].concat());
    }
    laughs.push(b'.');
    assert!(read(&laughs).contains("endless"));
    // A list that holds itself.
    assert!(read(b"]q\x00h\x00a.").contains("endless"));
    // A text of 2 GB, a reference to nothing, a name without an end, an instruction that makes objects.
    assert!(read(b"X\xff\xff\xff\x7fabc").contains("end inside of a pickle"));
    assert!(read(b"h\x07.").contains("reference to nothing"));
    assert!(read(&[&b"c"[..], &[b'a'; 5000]].concat()).contains("without an end"));
    assert!(read(b"ccollections\nOrderedDict\n)\x81.").contains("instruction 0x81"));
    assert!(read(b"cos\nsystem\nU\x02ls\x85R.").contains("os.system, which is not run"));
    // Nothing on the stack, and a stack below a mark.
    assert!(read(b".").contains("what is not there") && read(b"K\x01(0.").contains("what is not there"));
}

/// `{'w': tensor, 'x00': the same, ...}` with a hundred further names, and the storage behind it.
fn shared_by_many(count: u16) -> Vec<u8> {
    let names = (0..100u8).flat_map(|i| [&b"U\x03x"[..], &[b'0' + i / 10, b'0' + i % 10], b"h\x09"].concat());
    let number = [&b"M"[..], &count.to_le_bytes()].concat();
    let shape = [&b"K\x00"[..], &number, b"\x85K\x01\x85"].concat();
    let one = one_tensor(&number, &shape);
    let tensor = &one[4..one.len() - 2];
    let weights = [&b"}(U\x01w"[..], tensor, b"q\x09", &names.collect::<Vec<u8>>(), b"u."].concat();
    let numbers = (0..count).flat_map(|i| f32::from(i).to_le_bytes());
    let stored = [&KEYS[..8], &u64::from(count).to_le_bytes(), &numbers.collect::<Vec<u8>>()].concat();
    legacy(&weights, &stored)
}

#[test]
fn tensors_may_share_numbers_but_not_multiply_the_file() {
    let tensors = read_bytes(&shared_by_many(2)).unwrap();
    assert_eq!((tensors.len(), numbers(&tensors["x42"])), (101, vec![0.0, 1.0]));
    let message = read_bytes(&shared_by_many(2000)).unwrap_err();
    assert!(message.contains("808000 bytes of tensors"), "{message}");
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field of bytes.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2)[..], &varint(bytes.len() as u64), bytes].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A network of one layer in the format of today and in that before 2014.
fn networks() -> [Vec<u8>; 2] {
    let values: Vec<f32> = (0..12).map(|i| i as f32 / 4.0).collect();
    let shape = field(7, &field(1, &[3, 2, 1, 2]));
    let now = [field(5, &floats(&values)), shape].concat();
    let bias = [field(5, &floats(&[1.0, 2.0])), b"\x2d\0\0\x40\x40".to_vec(), field(7, b"\x08\x03")].concat();
    let layer = [field(1, b"conv1"), field(2, b"Convolution"), field(7, &now), field(7, &bias)].concat();
    let input = field(1, b"data");
    let now = [field(1, b"net"), field(100, &input), field(100, &layer)].concat();
    let old = |sides: [u8; 4]| sides.iter().zip(1u8..).flat_map(|(&side, axis)| [axis << 3, side]).collect::<Vec<u8>>();
    let weight = [old([3, 2, 1, 2]), field(5, &floats(&values))].concat();
    let bias = [old([1, 1, 1, 3]), field(5, &floats(&[1.0, 2.0, 3.0]))].concat();
    let dense = [old([1, 1, 2, 3]), field(5, &floats(&values[..6]))].concat();
    let layer = [field(4, b"conv1"), b"\x28\x04".to_vec(), field(6, &weight), field(6, &bias)].concat();
    let dense = [field(4, b"fc"), field(6, &dense)].concat();
    [now, [field(2, &layer), field(2, &dense)].concat()]
}

#[test]
fn caffe_networks_of_both_formats_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.caffemodel");
    for (bytes, blobs) in networks().into_iter().zip([2, 3]) {
        fs::write(&path, &bytes).unwrap();
        let tensors = caffe::read(&path).unwrap();
        assert_eq!(tensors.len(), blobs);
        assert_eq!(tensors["conv1.weight"].dims(), [3, 2, 1, 2]);
        assert_eq!(numbers(&tensors["conv1.weight"])[11], 2.75);
        assert_eq!(
            (tensors["conv1.bias"].dims(), numbers(&tensors["conv1.bias"])),
            (&[3usize][..], vec![1.0, 2.0, 3.0])
        );
        if let Some(dense) = tensors.get("fc.weight") {
            assert_eq!(dense.dims(), [2, 3]);
        }
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            if let Err(error) = caffe::read(&path) {
                assert!(error.to_string().contains("net.caffemodel"), "{error}");
            }
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x55;
            fs::write(&path, &altered).unwrap();
            let _ =
                caffe::read(&path).map_err(|error| assert!(error.to_string().contains("net.caffemodel"), "{error}"));
        }
    }
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        caffe::read(&path).unwrap_err().to_string()
    };
    assert!(refused(b"").contains("no weights") && refused(b"name: \"net\"").contains("damaged"));
    let twice = [networks()[0].clone(), networks()[0].clone()].concat();
    assert!(refused(&twice).contains("conv1.weight twice"));
    let short =
        field(100, &[field(1, b"c"), field(7, &[field(5, &floats(&[1.0])), field(7, b"\x08\x02")].concat())].concat());
    assert!(refused(&short).contains("shape [2] with 1 numbers"));
}
