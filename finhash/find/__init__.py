"""The FINd algorithm: its geometry, a pure Python reference, and exact CPU and GPU kernels."""
