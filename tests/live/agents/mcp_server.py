"""An MCP server on stdin and stdout with one tool, which agents start for themselves."""

from mcp.server import MCPServer

server = MCPServer("mini")


@server.tool(structured_output=False)
def total(a: int, b: int) -> str:
    """Adds two numbers and says how far to count."""
    return f"\ncount {a + b}\n"


if __name__ == "__main__":
    server.run()
