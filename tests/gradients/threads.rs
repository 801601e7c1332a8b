//! The same bits on 1, 2, 3 and 8 threads, forward and backward, and on every level of vector instructions.

use tachie::Result;
use tachie::candle_core::Device;
use tachie::candle_core::{Tensor, Var};
use tachie::nn::conv::ConvSpec;
use tachie::ops::activation::Activation;
use tachie::ops::arithmetic::add;
use tachie::ops::epilogue::{bias_activation, layer_epilogue};
use tachie::ops::fir::{BINOMIAL, blur, downsample_filtered, upsample_filtered};
use tachie::ops::gated::gated_halves;
use tachie::ops::level::{Level, VARIABLE, level};
use tachie::ops::minibatch::minibatch_deviation;
use tachie::ops::norm::{adaptive_instance_norm, batch_norm, instance_norm, pixel_norm};
use tachie::ops::reduce::{dot_from, mean, scale};
use tachie::ops::resample::{avg_pool2d, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle};
use tachie::ops::spectral::{power_iteration, spectrally_normalized};
use tachie::ops::warp::{Border, warp};
use tachie::ops::{activation, channel, conv};
use tachie::rng::seed;

use crate::processes::again;

fn variable(name: &str, shape: &[usize]) -> Result<Var> {
    Ok(Var::from_tensor(&seed(3).stream(name).normal_tensor(shape, &Device::Cpu)?)?)
}

fn bits(tensor: &Tensor) -> Result<Vec<u32>> {
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}

/// Output and gradients of a function of all variables, as bits.
fn trace(variables: &[Var], f: impl Fn(&[Var]) -> Result<Tensor>) -> Result<Vec<Vec<u32>>> {
    let y = f(variables)?;
    let gradients = tachie::autograd::backward(&y.sqr()?)?;
    let mut trace = vec![bits(&y)?];
    for variable in variables {
        trace.push(bits(gradients.get(variable).unwrap())?);
    }
    Ok(trace)
}

fn same_on_all_pools(name: &str, shapes: &[&[usize]], f: impl Fn(&[Var]) -> Result<Tensor> + Sync) {
    let variables: Vec<Var> =
        shapes.iter().enumerate().map(|(i, shape)| variable(&format!("{name}/{i}"), shape).unwrap()).collect();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| trace(&variables, &f)).unwrap()
    };
    let expected = on(1);
    println!("bits of {name}: {}", digest(&expected));
    for threads in [2, 3, 8] {
        assert!(on(threads) == expected, "{name}: {threads} threads give other bits than 1");
    }
}

/// FNV-1a of all bits.
fn digest(trace: &[Vec<u32>]) -> String {
    let step = |hash: u64, bits: &u32| (hash ^ u64::from(*bits)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", trace.iter().flatten().fold(0xcbf2_9ce4_8422_2325, step))
}

#[test]
fn convolutions_do_not_depend_on_the_number_of_threads() {
    let s = ConvSpec::padded(1);
    let cases: [(&str, &[usize], &[usize], ConvSpec); 6] = [
        ("3x3 over large planes", &[3, 16, 40, 40], &[24, 16, 3, 3], s),
        ("3x3 over many small planes", &[21, 70, 4, 4], &[130, 70, 3, 3], s),
        ("4x4 stride 2", &[5, 16, 32, 32], &[40, 16, 4, 4], s.stride(2)),
        ("1x1", &[4, 33, 24, 24], &[17, 33, 1, 1], ConvSpec::default()),
        ("groups", &[4, 12, 17, 19], &[24, 3, 3, 3], s.groups(4)),
        ("few channels out", &[4, 64, 32, 32], &[3, 64, 9, 9], ConvSpec::padded(4)),
    ];
    for (name, x, w, spec) in cases {
        same_on_all_pools(name, &[x, w], |v| conv::conv2d(&v[0], &v[1], &spec));
    }
    same_on_all_pools("transposed", &[&[5, 40, 8, 8], &[40, 24, 4, 4]], |v| {
        conv::conv_transpose2d(&v[0], &v[1], &s.stride(2))
    });
}

#[test]
fn other_operations_do_not_depend_on_the_number_of_threads() {
    same_on_all_pools("batch norm 2-D", &[&[8, 20, 24, 24], &[20], &[20]], |v| {
        Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0)
    });
    same_on_all_pools("batch norm 1-D", &[&[48, 3000], &[3000], &[3000]], |v| {
        Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0)
    });
    same_on_all_pools("channels of pictures", &[&[8, 20, 24, 24], &[20], &[20]], |v| {
        add(&channel::affine(&v[0], &v[1], &v[2])?, &channel::scale(&v[0], &channel::sum(&v[0])?)?)
    });
    same_on_all_pools("channels of a matrix", &[&[48, 3000], &[3000], &[3000]], |v| {
        let y = bias_activation(&v[0], &v[1], Activation::LeakyRelu(0.2))?;
        channel::affine(&y, &channel::dot(&y, &v[0])?, &v[2])
    });
    same_on_all_pools("instance norm", &[&[8, 20, 24, 24]], |v| instance_norm(&v[0], None, 1e-5));
    same_on_all_pools("activations and resampling", &[&[8, 20, 24, 24]], |v| {
        let y = upsample_nearest(&activation::leaky_relu(&v[0], 0.2)?, 2)?;
        activation::tanh(&avg_pool2d(&pixel_shuffle(&y, 2, ShuffleOrder::Dcr)?, 3)?)
    });
    same_on_all_pools("pixel norm and style", &[&[8, 20, 24, 24], &[8, 20]], |v| {
        adaptive_instance_norm(&pixel_norm(&v[0], 1e-8)?, &v[1], &v[1], 1e-8)
    });
    same_on_all_pools("epilogues", &[&[8, 20, 24, 24], &[8, 1, 24, 24], &[20]], |v| {
        let y = layer_epilogue(&v[0], &v[1], &v[2], &v[2], 0.2, 1.5)?;
        bias_activation(
            &gated_halves(&bias_activation(&y, &v[2], Activation::Tanh)?, Activation::Softplus)?,
            &v[2].narrow(0, 0, 10)?,
            Activation::LeakyRelu(0.2),
        )
    });
    same_on_all_pools("filters and deviation", &[&[8, 20, 24, 24]], |v| {
        minibatch_deviation(&downsample_filtered(&blur(&upsample_filtered(&v[0], &BINOMIAL)?)?, &BINOMIAL)?, 4)
    });
    same_on_all_pools("positions", &[&[8, 20, 24, 24]], |v| {
        let maps = [[[0.9, 0.5, -0.6], [-0.4, 1.3, 0.2]]; 8];
        warp(&warp(&v[0], &maps, [30, 30], Border::Mirror)?, &maps, [24, 20], Border::Zeros)
    });
    same_on_all_pools("reductions", &[&[3, 70_000], &[3, 70_000]], |v| {
        let dot = dot_from(&v[0], &v[1], 1)?;
        add(&scale(&v[0], &dot)?, &scale(&v[1], &mean(&v[0])?)?)
    });
    same_on_all_pools("spectral norm", &[&[70, 40, 3, 3]], |v| {
        let (u, w) = (variable("u", &[70])?, variable("v", &[360])?);
        power_iteration(&v[0], &u, &w, 2, 1e-12)?;
        spectrally_normalized(&v[0], &u, &w)
    });
    println!("compared on {}", level());
    same_on_all_pools("linear", &[&[64, 300], &[500, 300]], |v| Ok(v[0].matmul(&v[1].t()?)?));
}

/// Convolutions are left out: with wider vectors they add in another order, and fuse.
#[test]
fn other_operations_do_not_depend_on_the_vector_instructions() {
    let lines = |level: Level| -> Vec<String> {
        let name = "threads::other_operations_do_not_depend_on_the_number_of_threads";
        let text = again(name, &[(VARIABLE, level.name())], &format!("compared on {level}"));
        let digests = text.lines().filter(|line| line.starts_with("bits of") && !line.contains("linear"));
        digests.map(str::to_string).collect()
    };
    let expected = lines(Level::Portable);
    assert!(expected.len() >= 4, "{expected:?}");
    for level in Level::available() {
        assert_eq!(lines(level), expected, "{level} gives other bits than {}", Level::Portable);
    }
}
