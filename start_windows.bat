@echo off
rem Finds a Python that is new enough and hands everything over to one_click.py.
setlocal
set "HERE=%~dp0"
set "CHECK=import sys; sys.exit(sys.version_info < (3, 11))"
py -3 -c "%CHECK%" >nul 2>&1 && goto with_launcher
python -c "%CHECK%" >nul 2>&1 && goto with_python
echo No Python 3.11 or newer was found. Install one, then run this again:
echo   winget install Python.Python.3.13
echo   or the installer from python.org (tick "Add python.exe to PATH")
pause
exit /b 1

:with_launcher
py -3 "%HERE%one_click.py" %*
goto ended

:with_python
python "%HERE%one_click.py" %*

:ended
set "STATUS=%errorlevel%"
rem Started by a double click, the window would close before its last lines could be read.
if not "%STATUS%"=="0" pause
exit /b %STATUS%
