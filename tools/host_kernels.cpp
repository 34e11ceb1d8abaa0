// mmcv's CUDA kernels of the operators which it has for a GPU only, compiled for the CPU.
//
// The kernels are plain loops over independent elements; with the words of CUDA given their
// meaning for one thread, a C++ compiler accepts mmcv's own sources and no GPU is needed to learn
// what these operators compute.
#include <math.h>

#include <algorithm>
#include <cfloat>
#include <cstdint>

#define PYTORCH_CUDA_HELPER  // its content, the CUDA headers, is left out
#define __global__ inline
#define CUDA_1D_KERNEL_LOOP(i, n) for (int i = 0; i < (n); ++i)
using std::max;
using std::min;
template <typename T>
void atomicAdd(T *address, T value) {
  *address += value;
}

#include "cuda/masked_conv2d_cuda_kernel.cuh"
#include "cuda/roi_pool_cuda_kernel.cuh"
#include "cuda/sigmoid_focal_loss_cuda_kernel.cuh"
#include "cuda/softmax_focal_loss_cuda_kernel.cuh"

extern "C" {
void sigmoid_forward(int n, const float *x, const int64_t *target, const float *weight, float *out,
                     float gamma, float alpha, int classes) {
  sigmoid_focal_loss_forward_cuda_kernel<float>(n, x, target, weight, out, gamma, alpha, classes);
}
void sigmoid_backward(int n, const float *x, const int64_t *target, const float *weight,
                      float *grad, float gamma, float alpha, int classes) {
  sigmoid_focal_loss_backward_cuda_kernel<float>(n, x, target, weight, grad, gamma, alpha, classes);
}
void softmax_forward(int n, const float *p, const int64_t *target, const float *weight, float *out,
                     float gamma, float alpha, int classes) {
  softmax_focal_loss_forward_cuda_kernel<float>(n, p, target, weight, out, gamma, alpha, classes);
}
void softmax_backward(int n, const float *p, const int64_t *target, const float *weight,
                      float *buffer, float *grad, float gamma, float alpha, int classes) {
  softmax_focal_loss_backward_cuda1_kernel<float>(n, p, target, weight, buffer, gamma, alpha,
                                                  classes);
  softmax_focal_loss_backward_cuda2_kernel<float>(n * classes, p, target, buffer, grad, classes);
}
void roi_pool_forward(int n, const float *x, const float *rois, float *out, int *argmax, int high,
                      int wide, float scale, int channels, int height, int width) {
  roi_pool_forward_cuda_kernel<float>(n, x, rois, out, argmax, high, wide, scale, channels, height,
                                      width);
}
void roi_pool_backward(int n, const float *grad, const float *rois, const int *argmax, float *out,
                       int high, int wide, int channels, int height, int width) {
  roi_pool_backward_cuda_kernel<float>(n, grad, rois, argmax, out, high, wide, channels, height,
                                       width);
}
void masked_im2col(int n, const float *image, int height, int width, int kernel_h, int kernel_w,
                   int pad_h, int pad_w, const int64_t *rows, const int64_t *columns, int count,
                   float *out) {
  MaskedIm2colForward<float>(n, image, height, width, kernel_h, kernel_w, pad_h, pad_w, rows,
                             columns, count, out);
}
void masked_col2im(int n, const float *values, int height, int width, int channels,
                   const int64_t *rows, const int64_t *columns, int count, float *image) {
  MaskedCol2imForward<float>(n, values, height, width, channels, rows, columns, count, image);
}
}
