# One image for every role: docker build -t rhythmwatch .
FROM python:3.11-slim

# "cpu" takes the small CPU build of torch; "cu130", "auto" or another of uv's names a GPU build;
# empty takes what the package index offers.
ARG TORCH_BACKEND=cpu
ENV PYTHONUNBUFFERED=1
WORKDIR /opt/rhythmwatch

# The dependencies first, in a layer of their own that a change of the code leaves as it is.
COPY pyproject.toml requirements.lock ./
RUN pip install --no-cache-dir uv && \
    uv pip install --system --no-cache --compile-bytecode ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"} \
      --constraint requirements.lock --extra demo --requirements pyproject.toml

COPY rhythmwatch.py README.md LICENSE ./
COPY ecg ecg
COPY training training
COPY stream stream
COPY dashboard dashboard
RUN uv pip install --system --no-cache --compile-bytecode --no-deps . && \
    useradd --create-home --uid 10001 rhythmwatch && \
    install --directory --owner rhythmwatch /archive
WORKDIR /home/rhythmwatch
# Machine code for this kind of processor; on another one it is made when a role starts.
RUN python -c "from ecg.warm import warm_up; warm_up()"
USER rhythmwatch

ENTRYPOINT ["rhythmwatch"]
CMD ["--help"]
