"""The clinicians' screens: a Streamlit app around a browser component that draws live waveforms."""
