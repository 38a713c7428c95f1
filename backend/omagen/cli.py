import sys
from pathlib import Path
def main():
    from omagen.server.process import serve, Options
    from omagen.protocol import OmagenError
    from omagen.server.instance import AlreadyRunning
    try:
        serve(Options(Path(sys.argv[sys.argv.index("--data")+1]), parents=[int(sys.argv[i+1]) for i,a in enumerate(sys.argv) if a=="--parent"]))
    except AlreadyRunning as e: print(e); return 3
    except OmagenError as e: print(e); return 2
    return 0
