"""Numba kernels, compiled once per machine: where the compiled code is kept, whether all of it is there, making it.

`folder` and `stamp` answer cheaply, without numba; `cache` has numba keep the code there; `preparation` compiles what
is missing, in processes of their own, by running the `tasks`: the codec itself on small inputs.
"""
